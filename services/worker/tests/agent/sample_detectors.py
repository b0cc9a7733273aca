"""Detectors that fail, hang and lie, each asked in a process of its own: what this module imports costs every one."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crossfleet.worker.detectors.detector import Found

FOR_EVER = 600  # seconds: longer than any limit, cut off by the one under test


class Browser:
    """Finds one thing of each type."""

    def present(self) -> bool:
        return True

    def detect(self) -> Sequence[Found]:
        print("noise of a library")
        values = {"a": True, "b": 3, "c": 0.5, "d": "text", "e": {"version": "1.2"}, "f": ["x", "y"]}
        return [{"device_id": "b-0", "device_class": "Browser", "attributes": values, "capacities": {"tabs": 4}}]


class Hanging(Browser):
    def detect(self) -> Sequence[Found]:
        time.sleep(FOR_EVER)
        return []


class Leaving(Browser):
    """What it has started holds its streams, and outlives it."""

    def detect(self) -> Sequence[Found]:
        subprocess.Popen(["sleep", "30"], start_new_session=True)
        time.sleep(FOR_EVER)
        return []


class Stuck(Browser):
    free = threading.Event()

    def present(self) -> bool:
        self.free.wait(FOR_EVER)
        return True


class Exiting(Browser):
    def present(self) -> bool:
        raise SystemExit("no licence")


class Littering(Browser):
    """It ends in good order, and what it has started does not."""

    def detect(self) -> Sequence[Found]:
        left = subprocess.Popen(["sleep", str(FOR_EVER)])
        return [{"device_id": "b-0", "device_class": "browser", "attributes": {"left": left.pid}}]


class Raising(Browser):
    def detect(self) -> Sequence[Found]:
        raise RuntimeError("the driver is broken")


class Lying(Browser):
    def detect(self) -> Sequence[Found]:
        return [{"device_class": "gpu"}]


class Careless(Browser):
    """Describes one device well, and others not."""

    wrong: Sequence[Any] = ()

    def detect(self) -> Sequence[Found]:
        return [{"device_id": "good", "device_class": "gpu", "capacities": {"memory": 8e9}}, *self.wrong]


class Mixed(Careless):
    wrong = (
        {"device_id": "", "device_class": "gpu"},
        {"device_id": "line\nbreak", "device_class": "gpu"},
        {"device_id": "good", "device_class": "gpu"},
        {"device_id": "negative", "device_class": "gpu", "capacities": {"memory": -1}},
        {"device_id": "truncated", "device_class": "gpu", "capacities": {"memory": 1.5}},
        {"device_id": "shared", "device_class": "gpu", "shareable": "no"},
        {"device_id": "stretched", "device_class": "gpu", "conditions": "lost"},
        {"device_id": "classless"},
        {"device_id": "huge", "device_class": "gpu", "attributes": {"n": 2**70}},
        {"device_id": "view", "device_class": "gpu", "adds": "n"},
        "no device",
    )


class Twin(Browser):
    """Its device is called as another one's."""

    def detect(self) -> Sequence[Found]:
        return [{"device_id": "good", "device_class": "npu"}, {"device_id": "own", "device_class": "npu"}]


class Turning(Careless):
    """The second time one of its devices is described wrongly."""

    def detect(self) -> Sequence[Found]:
        seen = Path(os.environ["TURNING"])
        memory = -1 if seen.exists() else 4
        seen.touch()
        return [*super().detect(), {"device_id": "odd", "device_class": "gpu", "capacities": {"memory": memory}}]


class Endless(Browser):
    def detect(self) -> Sequence[Found]:
        return [{"device_id": f"b-{number}", "device_class": "browser"} for number in range(100_000)]


class Spilling(Browser):
    def detect(self) -> Sequence[Found]:
        while True:
            print("noise of a library" * 1000)


class Deep(Browser):
    def detect(self) -> Sequence[Found]:
        deep: list[Any] = []
        for _ in range(900):
            deep = [deep]
        return deep


class Single(Browser):
    """What it finds is no list of devices, whatever else."""

    def detect(self) -> Sequence[Found]:
        return [1, None, [{}]]  # type: ignore[list-item]


class Absent(Browser):
    def present(self) -> bool:
        return False


class Changing(Browser):
    """Finds what a file names, and raises where there is none."""

    def detect(self) -> Sequence[Found]:
        names = Path("changing.txt").read_text().split()
        return [{"device_id": name, "device_class": "npu"} for name in names]
