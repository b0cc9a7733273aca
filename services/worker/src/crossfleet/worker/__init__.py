"""The agent on a host, and the shim that owns its runners."""
