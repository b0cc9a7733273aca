"""Heat and clocks of processors, from sysfs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from crossfleet.worker.detectors.sysfs import number, text

_SENSORS = frozenset({"coretemp", "cpu_thermal", "k8temp", "k10temp", "via_cputemp", "zenpower"})
"""Drivers of hwmon whose sensors are in processors. Those of mainboards, disks and network cards are not asked."""
_ZONE = re.compile(r"x86_pkg_temp|(cpu|soc|cluster|big|little)[\w-]*", re.IGNORECASE)
_FOR_FANS = "Tctl"
"""What AMD's processors tell fan controllers: on some models 27 degrees above the truth, which is in Tdie then."""


def temperature(system: Path) -> float | None:
    """The hottest sensor of all processors in degrees Celsius; None where there is none."""
    found = [*_of_chips(system / "class/hwmon"), *_of_zones(system / "class/thermal")]
    return max(found, default=None)


def clock(system: Path) -> float | None:
    """The clock of that processor which is clocked highest, as a part of the highest that it can have."""
    return _highest(system, "scaling_cur_freq")


def clock_allowed(system: Path) -> float | None:
    """The highest clock that its governor may choose, as a part of the highest that a processor can have."""
    return _highest(system, "scaling_max_freq")


def throttles(system: Path) -> int | None:
    """How often x86 processors were slowed down by their heat since the start; None where the kernel does not count."""
    files = (system / "devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    found = [count for count in map(number, files) if count is not None]
    return sum(found) if found else None


def _of_chips(chips: Path) -> Iterator[float]:
    for chip in chips.glob("hwmon*"):
        if text(chip / "name") not in _SENSORS:
            continue
        sensors = [(text(path.with_name(f"{path.name[:-5]}label")), number(path)) for path in chip.glob("temp*_input")]
        true = any(label == "Tdie" for label, _ in sensors)
        for label, value in sensors:
            if value is not None and not (true and label == _FOR_FANS):
                yield value / 1000


def _of_zones(zones: Path) -> Iterator[float]:
    for zone in zones.glob("thermal_zone*"):
        value = number(zone / "temp") if _ZONE.fullmatch(text(zone / "type")) else None
        if value is not None:
            yield value / 1000


def _highest(system: Path, name: str) -> float | None:
    parts = []
    for policy in (system / "devices/system/cpu/cpufreq").glob("policy*"):
        now, most = number(policy / name), number(policy / "cpuinfo_max_freq")
        if now is not None and most:
            parts.append(now / most)
    return max(parts, default=None)
