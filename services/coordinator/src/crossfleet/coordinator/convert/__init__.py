"""Messages to plain data and back. With the servicers and sessions, the only part that knows messages."""
