"""How many cores this process may really use."""

from __future__ import annotations

import os


def usable_cores() -> float:
    """Cores that the affinity mask and the control group leave to this process; at least 0.1."""
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # not Linux
        cores = float(os.cpu_count() or 1)
    quota = _cgroup_quota()
    return max(0.1, min(cores, quota) if quota else cores)


def _cgroup_quota() -> float | None:
    """The tightest `cpu.max` from this process's control group up to the root, in cores."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as lines:
            path = next((line.strip()[3:] for line in lines if line.startswith("0::")), None)
    except OSError:
        return None
    tightest: float | None = None
    while path is not None:
        try:
            with open(f"/sys/fs/cgroup{path.rstrip('/')}/cpu.max", encoding="utf-8") as limit:
                quota, period = limit.read().split()
            if quota != "max":
                cores = int(quota) / int(period)
                tightest = cores if tightest is None else min(tightest, cores)
        except (OSError, ValueError):
            pass  # the root has no such file
        path = os.path.dirname(path) if path not in ("/", "") else None
    return tightest


def share_slots(slots: int, workers: int) -> list[int]:
    """`slots` dealt over `workers`, the first getting what is left over; each gets at least one."""
    base, rest = divmod(max(slots, workers), workers)
    return [base + (index < rest) for index in range(workers)]
