"""Disks without room."""

from __future__ import annotations

from pathlib import Path


def fill(place: Path) -> Path:
    """Use the disk up."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return ballast
