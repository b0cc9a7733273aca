"""Coverage of a run: the data of all its sessions as one, reported as pytest-cov was asked to."""
