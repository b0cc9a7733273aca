"""Faults at random while runs go on, and a checker of what became of them."""
