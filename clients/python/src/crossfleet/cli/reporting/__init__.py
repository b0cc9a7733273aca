"""What is written about a finished run, for people and for programs."""
