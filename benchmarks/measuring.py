"""Timing a command, medians, and a line about the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Timed:
    """One run of a command: seconds by the clock, CPU seconds of it and its waited-for children, exit status, output."""

    wall: float
    cpu: float
    status: int
    output: str


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float = 1800.0) -> Timed:
    """Runs a command to its end. Raises subprocess.TimeoutExpired after `limit` seconds, with the command killed."""
    before = os.times()
    begun = time.perf_counter()
    done = subprocess.run(
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=limit,
        check=False,
    )
    wall = time.perf_counter() - begun
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Timed(wall, cpu, done.returncode, done.stdout.decode("utf-8", "replace"))


def middle(values: Sequence[float]) -> float:
    """The median; nan of nothing."""
    return median(values) if values else float("nan")


def part_of(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed; nan of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


def machine() -> str:
    """Cores, memory, Python and load: what a number needs beside it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{cores} cores, {memory:.0f} GiB, Python {platform.python_version()}, load {load:.1f} at the start"


def verdict(label: str, value: float, goal: float, unit: str = "", *, at_least: bool = False) -> bool:
    """Prints a figure beside its goal; answers whether it was met."""
    met = value >= goal if at_least else value <= goal
    sign = ">=" if at_least else "<="
    print(f"{'ok  ' if met else 'MISS'} {label}: {value:.4g}{unit} (goal {sign} {goal:g}{unit})")
    return met
