"""Between the shim's lines and the messages of the worker protocol. Nothing else knows both."""
