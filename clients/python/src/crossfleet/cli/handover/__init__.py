"""What `pytest --fleet` does: a session of pytest whose cases are executed by a fleet. Needs pytest."""
