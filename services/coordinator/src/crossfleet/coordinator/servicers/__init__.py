"""One servicer a service: reads the request, asks or commands, writes the answer."""
