"""Durations of cases in a file: what cuts a suite into shards, and puts the longest first."""
