"""Running seeds, and the commands that replay them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.simulation.world import Result, World

CORPUS = Path(__file__).with_name("corpus.txt")


def simulate(seed: int, *, only: Sequence[int] | None = None, trace: bool = False) -> Result:
    """One seed; with `only`, just those of its faults (numbers in the order of time)."""
    world = World(seed, keep_trace=trace)
    if only is not None:
        world.faults = [world.faults[number] for number in only]
    return world.run()


def command(seed: int, only: Sequence[int] | None = None, mutant: str = "") -> str:
    """What replays a seed."""
    faults = f" --faults {','.join(map(str, only)) or 'none'}" if only is not None else ""
    planted = f" --mutant {mutant}" if mutant else ""
    return f"python -m tests.simulation --seed {seed}{faults}{planted} --trace"


def corpus() -> list[int]:
    """Seeds that have found a bug once; what follows a `#` says which."""
    lines = (line.partition("#")[0].strip() for line in CORPUS.read_text().splitlines())
    return [int(line) for line in lines if line]
