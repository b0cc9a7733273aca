"""What is decided about pilots: pure, without messages, processes and clocks."""
