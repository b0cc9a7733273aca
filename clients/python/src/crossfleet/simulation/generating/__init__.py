"""Traces that nobody recorded: fleets and loads by kind and seed."""
