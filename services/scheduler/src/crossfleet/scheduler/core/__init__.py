"""The planning core: pure functions of a snapshot, without clock, messages or randomness."""
