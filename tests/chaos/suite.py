"""A suite whose outcomes follow from the numbers of its cases, and which notes what it really executes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from crossfleet.api.types.v1 import run_pb2, suite_pb2

TARGETS = ("alpha", "beta")
ATTEMPTS = 50
"""Tries of a case after its host was lost: of so many kills one case may meet more than the three by default."""
TASK_SECONDS = 1.0
"""So short that slots ask for something new all the time: a placement is always due."""

FILE = r"""
import os, pathlib, random, time
import pytest

NOTES = pathlib.Path(__file__).with_name("notes")
WORKER, TARGET, RUN = (os.environ["CROSSFLEET_" + name] for name in ("WORKER", "TARGET", "RUN"))
SECONDS = float(os.environ["CASE_SECONDS"])


@pytest.fixture(autouse=True)
def noted(request):
    line = f"{{RUN}} {{TARGET}} {{WORKER}} {{request.node.nodeid}}\n"
    with open(NOTES, "a", encoding="utf-8") as notes:
        notes.write(line)


@pytest.fixture
def prepared(noted, request):
    if request.node.callspec.params["number"] % 211 == 17:
        raise RuntimeError("not prepared")


@pytest.mark.parametrize("number", range({first}, {end}))
def test_case(number, prepared):
    time.sleep(random.Random(number).uniform(0, 2 * SECONDS))
    if number == {crashing}:
        os._exit(7)
    if number % 53 == 5:
        pytest.skip("as every 53rd")
    if number % 89 == 11:
        pytest.xfail("as every 89th")
    assert number % 97 != 13
"""


@dataclass(frozen=True)
class Execution:
    """One case began on a worker, by its own note."""

    run_id: str
    target: str
    worker: str
    case_id: str


@dataclass(frozen=True)
class Suite:
    """`cases` cases in files of a hundred."""

    folder: Path
    cases: int = 3000

    def write(self) -> Suite:
        """Put its files into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for first in range(0, self.cases, 100):
            end = min(first + 100, self.cases)
            text = FILE.format(first=first, end=end, crashing=self.cases // 2)
            (self.folder / f"test_{first // 100:03}.py").write_text(text)
        return self

    def spec(self, seconds: float) -> run_pb2.RunSpec:
        """A run of all of it on both targets, in place, whose cases take so long on average."""
        spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(self.folder)))
        spec.suite.runner = "pytest"
        spec.suite.arguments.extend(["-p", "no:cacheprovider"])
        spec.suite.variables["CASE_SECONDS"] = str(seconds)
        spec.policy.max_attempts = ATTEMPTS
        spec.policy.max_cases_per_task = max(1, int(TASK_SECONDS / seconds))
        for target in TARGETS:
            spec.targets.add(name=target, selector=f'worker.labels.{target} == "yes"')
        return spec

    def executions(self) -> dict[str, list[Execution]]:
        """What was executed, by run, in order. The line of a process that was killed may be cut."""
        found: dict[str, list[Execution]] = defaultdict(list)
        notes = self.folder / "notes"
        for line in notes.read_text("utf-8").splitlines() if notes.exists() else ():
            words = line.split(" ")
            if len(words) == 4:
                found[words[0]].append(Execution(*words))
        return found
