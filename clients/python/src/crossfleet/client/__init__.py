"""The Python client of a fleet."""
