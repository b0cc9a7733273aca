"""Output of runners that no capture took: stored as plain files, read back live."""
