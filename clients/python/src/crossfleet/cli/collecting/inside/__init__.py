"""Runs inside the suite's own interpreter: standard library and pytest only, Python 3.8 and up."""
