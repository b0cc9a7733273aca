"""Where the time of one cold run goes, from the logs of its services and the times in its report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path


def breakdown(run: Callable[[Path], float], data: Path) -> None:
    """Runs once on the data folder `data` and prints when each part was reached, in seconds from the start."""
    begun = time.time()
    wall = run(data)
    moments = [("the command ended", wall)]
    for log in sorted(data.joinpath("logs").glob("*.log")):
        for line in log.read_text().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("event") in ("serving", "scheduler connected"):
                moments.append((f"{said.get('service')}: {said['event']}", _seconds(said["timestamp"]) - begun))
    times = json.loads(data.with_suffix(".json").read_text())["run"]
    for field, text in (
        ("created_at", "the run was committed"),
        ("started_at", "zygote ready, cases collected, the first one assigned"),
        ("finished_at", "the last verdict was committed"),
    ):
        moments.append((text, _seconds(times[field]) - begun))
    print("  one profiled run, seconds from the start of the command:")
    for text, at in sorted(moments, key=lambda moment: moment[1]):
        print(f"    {at:7.3f}  {text}")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
