"""The embedded fleet: its services as child processes, and how others find it. Standard library only."""
