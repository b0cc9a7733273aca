"""A whole fleet in one process, on one seed: simulated time, network, disk and crashes around the real code."""
