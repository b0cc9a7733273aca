"""The simulated fleet: what happens, when, and what it comes to. No clock, chance, network or message."""
