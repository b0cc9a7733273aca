"""What must hold after each commit: a room for each subject."""
