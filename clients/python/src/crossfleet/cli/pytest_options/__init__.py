"""What becomes of each option of pytest and of its common plugins on a fleet: one table, read by code and docs."""
