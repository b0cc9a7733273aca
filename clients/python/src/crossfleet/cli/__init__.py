"""The crossfleet command."""
