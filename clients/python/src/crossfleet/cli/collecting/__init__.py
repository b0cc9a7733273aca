"""Collects a suite here, without running it."""
