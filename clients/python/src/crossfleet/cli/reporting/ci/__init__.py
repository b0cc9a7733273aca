"""Continuous integration services: how each folds its log and shows a failure where it happened."""
