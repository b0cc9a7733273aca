"""Kinds of suites. Each is registered under the entry point group `crossfleet.runners`."""
