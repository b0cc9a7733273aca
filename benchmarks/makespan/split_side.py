"""pytest-split's own algorithms: each slot gets its part beforehand and runs it in the order of the collection."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environments import interpreter
from benchmarks.makespan.outcome import Outcome
from benchmarks.makespan.recording import Process, Recording

_PEER = Path(__file__).parents[1] / "shards" / "peer.py"


def replay(recording: Recording, speeds: Sequence[float]) -> dict[str, Outcome]:
    """What each algorithm makes of a suite on slots of these speeds, which it does not know. Raises NotAvailable."""
    return {name: _run(recording, parts, speeds) for name, parts in _parts(recording, len(speeds)).items()}


def _parts(recording: Recording, count: int) -> dict[str, list[int]]:
    """By algorithm the slot of each case."""
    python = interpreter("pytest-split", ["pytest-split==0.11.0", "pytest==9.2.0"])
    durations = dict(zip(recording.ids, recording.known, strict=True))
    asked = json.dumps({"ids": recording.ids, "durations": durations, "count": count})
    done = subprocess.run([python, _PEER], input=asked, capture_output=True, text=True, timeout=120, check=True)
    return dict(json.loads(done.stdout))


def _run(recording: Recording, slot_of: Sequence[int], speeds: Sequence[float]) -> Outcome:
    makespan, set_ups = 0.0, 0
    for slot, speed in enumerate(speeds):
        own = [index for index, part in enumerate(slot_of) if part == slot]
        process = Process(recording)
        seconds = sum(process.execute(*pair) for pair in zip(own, [*own[1:], None], strict=True)) if own else 0.0
        makespan, set_ups = max(makespan, seconds / speed), set_ups + process.set_ups
    return Outcome(makespan, set_ups)
