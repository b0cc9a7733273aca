"""A host as its gauges see it: which gates can be measured there, and one reading of everything."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from crossfleet.worker.gauges import gpus, occupation, processors

Reading = dict[str, Any]


def measurable(root: Path) -> list[str]:
    """The gates that can be measured on the host whose /proc and /sys are below `root`, in a few milliseconds."""
    proc, system = root / "proc", root / "sys"
    found = {
        "clock": processors.clock(system),
        "load": occupation.busy_seconds(proc),
        "pressure": occupation.pressed_seconds(proc),
        "temperature": processors.temperature(system),
        "gpu": gpus.present(proc) or None,
    }
    return sorted(name for name, value in found.items() if value is not None)


def read(root: Path, own: int, nvml: gpus.Gpus | None) -> Reading:
    """What can be read now; what cannot is left out.

    `at` is in seconds; `busy`, `own` and `pressed` are seconds since some beginning, `own` of the processes from pid `own`
    on; `clock` and `clock_allowed` parts of the highest; `temperature` in degrees Celsius; `throttles` a count; `gpus` has
    use and degrees by UUID.
    """
    proc, system = root / "proc", root / "sys"
    found: Reading = {
        "at": time.monotonic(),
        "busy": occupation.busy_seconds(proc),
        "own": occupation.own_seconds(own),
        "pressed": occupation.pressed_seconds(proc),
        "temperature": processors.temperature(system),
        "clock": processors.clock(system),
        "clock_allowed": processors.clock_allowed(system),
        "throttles": processors.throttles(system),
        "gpus": nvml.read() if nvml is not None else None,
    }
    return {name: value for name, value in found.items() if value is not None}
