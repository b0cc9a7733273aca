"""The link to the scheduler: what it is told, and what becomes of its plans."""
