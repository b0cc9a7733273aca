"""A suite whose progress the test controls by files: it notes what it runs and waits where it is told to wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.foundation.wait import eventually

SOURCE = """
import os, pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent
WORKER = os.environ["CROSSFLEET_WORKER"]

def note(name):
    with open(HERE / "ran", "a") as file:
        file.write(f"{name} {WORKER} {os.getpid()}\\n")

def wait_for(gate):
    deadline = time.monotonic() + 120
    while not (HERE / gate).exists() and not (HERE / f"{gate}-{WORKER}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (HERE / f"{gate}-passed").touch()

@pytest.mark.parametrize("number", range(QUICK))
def test_quick(number):
    note(f"quick-{number}")

@pytest.mark.parametrize("number", range(GATED))
def test_gated(number):
    note(f"gated-{number}")
    wait_for(f"gate-{number}")
"""


@dataclass(frozen=True)
class GatedSuite:
    """`quick` cases that only note that they ran, and `gated` ones that wait for a file each."""

    folder: Path
    quick: int = 40
    gated: int = 1

    def write(self) -> GatedSuite:
        """Put the suite's file into its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = SOURCE.replace("QUICK", str(self.quick)).replace("GATED", str(self.gated))
        (self.folder / "test_gated.py").write_text(text)
        return self

    def spec(self) -> run_pb2.RunSpec:
        """A run of it, in place."""
        spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(self.folder)))
        spec.suite.runner = "pytest"
        spec.suite.arguments.extend(["-p", "no:cacheprovider"])
        return spec

    @property
    def total(self) -> int:
        """How many cases it has."""
        return self.quick + self.gated

    @property
    def names(self) -> list[str]:
        """What a run notes, each once, sorted."""
        return sorted(
            [f"quick-{number}" for number in range(self.quick)] + [f"gated-{number}" for number in range(self.gated)]
        )

    def open(self, number: int = 0, worker: str = "") -> None:
        """Let a gated case go on, on every worker or on one."""
        (self.folder / (f"gate-{number}-{worker}" if worker else f"gate-{number}")).touch()

    def passed(self, number: int = 0) -> bool:
        """Whether a gated case has gone on, on any worker."""
        return (self.folder / f"gate-{number}-passed").exists()

    def notes(self) -> list[tuple[str, str, int]]:
        """Name, worker and process of each case that began, in order. A line that is being written is left out."""
        try:
            text = (self.folder / "ran").read_text()
        except FileNotFoundError:
            return []
        rows = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
        return [(name, worker, int(process)) for name, worker, process in rows]

    def ran(self) -> list[str]:
        """The names of the cases that began, sorted; one that ran twice stands twice."""
        return sorted(name for name, _, _ in self.notes())

    def repeated(self) -> dict[str, int]:
        """Cases that began more than once."""
        return {name: count for name, count in Counter(self.ran()).items() if count > 1}

    async def begun(self, number: int = 0, worker: str = "", seconds: float = 30.0) -> int:
        """Wait until a gated case runs (on `worker`); answers its process."""

        def found() -> int:
            for name, where, process in self.notes():
                if name == f"gated-{number}" and worker in {"", where}:
                    return process
            return 0

        return await eventually(found, deadline=seconds, what=f"gated-{number} runs on {worker or 'any worker'}")
