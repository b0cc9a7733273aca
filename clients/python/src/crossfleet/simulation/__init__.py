"""Plays coordinator and fleet under a virtual clock against any scheduler, and measures what becomes of a trace of work."""
