"""`crossfleet simulate`: schedulers to play against, and what is shown of the results."""
