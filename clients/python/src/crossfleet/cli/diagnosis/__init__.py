"""What `crossfleet doctor` looks at."""
