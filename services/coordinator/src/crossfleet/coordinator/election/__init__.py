"""Who leads, and for how long."""
