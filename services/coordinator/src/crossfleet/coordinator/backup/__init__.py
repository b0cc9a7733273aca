"""One file that holds a fleet's ledger, and its blobs if wanted: made while the fleet works, restored into SQLite or PostgreSQL."""
