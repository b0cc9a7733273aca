"""What surrounds every call of a server: one behaviour, one layer, one file."""
