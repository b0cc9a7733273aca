"""The results of shards, joined into those of one run."""
