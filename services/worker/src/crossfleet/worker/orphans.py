"""Ending what a killed shim left running: nobody would ever hear of it, and its cases are executed elsewhere."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_orphans(allocations: Path) -> int:
    """Kill every process that was started for an allocation under this folder; answers how many.

    They are known by the CROSSFLEET_ARTIFACTS of the environment that they were started with. Call it only while no
    shim lives over the folder. Costs nothing where no allocation was left.
    """
    if not allocations.is_dir() or not any(allocations.iterdir()):
        return 0
    mark = b"CROSSFLEET_ARTIFACTS=" + os.fsencode(allocations) + b"/"
    ended = 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):  # it has ended meanwhile, or belongs to somebody else
            content = (process / "environ").read_bytes()
            if content.startswith(mark) or b"\0" + mark in content:
                os.kill(int(process.name), signal.SIGKILL)
                ended += 1
    return ended
