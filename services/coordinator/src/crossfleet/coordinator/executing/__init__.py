"""What is being executed right now: told by workers, or asked of them. Nothing here is committed."""
