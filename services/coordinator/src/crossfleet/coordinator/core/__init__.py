"""The pure core: what is true, and what follows from it. No clock, no network, no SQL."""
