"""The fleet elsewhere that the environment names. Whoever says --data means a fleet of this machine: that wins."""

from __future__ import annotations

import os


def address_elsewhere(data: str) -> str:
    """What CROSSFLEET_ADDRESS says; empty where nothing is said there, or where --data names a folder, `data`."""
    return "" if data else os.environ.get("CROSSFLEET_ADDRESS", "")
