"""Traces: files of workers, groups and losses in the order in which they happen."""
