"""What `crossfleet run` does, from its command line to the run's end."""
