"""Removing what allocations of earlier lives left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path


def sweep(folder: Path, keep: Iterable[Path]) -> None:
    """Remove every folder of an allocation but those to keep. Blocks: call it from a thread. Does not raise."""
    kept = {path.name for path in keep}
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.name not in kept:
            shutil.rmtree(place, ignore_errors=True)
