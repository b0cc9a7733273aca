"""Removing what allocations of earlier lives left behind, but for artifacts that nobody has stored yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from crossfleet.foundation.logs import get_logger


def sweep(folder: Path, keep: Iterable[Path], save: Callable[[Path], object]) -> None:
    """Remove every folder of an allocation but those to keep, after a call of `save`; one for which that raises OSError stays.

    Blocks: call it from a thread. Does not raise.
    """
    kept = {path.name for path in keep}
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.name not in kept:
            try:
                save(place)
            except OSError as error:
                get_logger().error("artifacts cannot be kept", allocation=place.name, message=str(error))
                continue
            shutil.rmtree(place, ignore_errors=True)
