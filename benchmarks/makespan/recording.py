"""Recorded suites: what each case takes by itself, and what it shares with others. They lie beside this file, made once by

    python -m benchmarks.makespan --record

so that everybody replays the same. A line is a run of cases of one file and class that use the same fixtures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.environments import NotAvailable, environment
from benchmarks.measuring import timed
from tests.truth.subjects import Subject, made_ready
from tests.truth.suites import CLICK, JINJA, NETWORKX, PYGMENTS, REST_FRAMEWORK, STARLETTE

FOLDER = Path(__file__).with_name("recorded")
_PLUGIN = Path(__file__).with_name("inside")
"""A folder of its own: the suite's interpreter must not find our modules beside it."""
SUITES = (NETWORKX, REST_FRAMEWORK, STARLETTE, PYGMENTS, JINJA, CLICK)
_DEAR = 1e-4
"""Seconds: fixtures whose set-up takes less are left out."""
_UNIT = 1e-5
"""Seconds: what is written are whole numbers of these."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """A fixture that cases share; `seconds` is what its set-up takes."""

    name: str
    scope: str
    parameter: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Case:
    """A case: what it takes by itself, and the fixtures that it shares (indices)."""

    file: str
    group: str
    seconds: float
    uses: tuple[int, ...]

    def node(self, scope: str) -> str:
        """The part of the tree for whose life a fixture of that scope is set up."""
        if scope == "session":
            return ""
        if scope == "package":
            return self.file.rpartition("/")[0]
        return f"{self.file}::{self.group}" if scope == "class" and self.group else self.file


@dataclass(frozen=True)
class Recording:
    """A suite, in the order of its collection."""

    name: str
    fixtures: tuple[Fixture, ...]
    cases: tuple[Case, ...]

    @cached_property
    def ids(self) -> list[str]:
        """One for each case; the names of functions are not kept."""
        return ["::".join(filter(None, (case.file, case.group, f"{n:05}"))) for n, case in enumerate(self.cases)]

    @cached_property
    def known(self) -> list[float]:
        """What each case took where the suite ran alone, with what it set up for others: what everybody is told."""
        process = Process(self)
        following = [*range(1, len(self.cases)), None]
        return [max(process.execute(index, after), _UNIT) for index, after in enumerate(following)]

    @cached_property
    def least_set_ups(self) -> int:
        """Of shared fixtures, where the suite runs alone."""
        process = Process(self)
        for index, after in enumerate([*range(1, len(self.cases)), None]):
            process.execute(index, after)
        return process.set_ups


class Process:
    """What is set up in one process of a suite, as pytest tears it down: by what the next case still needs."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._live: dict[tuple[str, str], str] = {}
        self.set_ups = 0

    def execute(self, index: int, following: int | None) -> float:
        """Seconds that a case takes here and now; `following` is the next item, None: everything is torn down."""
        case = self._recording.cases[index]
        seconds = case.seconds
        for use in case.uses:
            fixture = self._recording.fixtures[use]
            key = (fixture.name, case.node(fixture.scope))
            if self._live.get(key) != fixture.parameter:
                self._live[key] = fixture.parameter
                self.set_ups += 1
                seconds += fixture.seconds
        after = None if following is None else self._recording.cases[following]
        self._live = {key: value for key, value in self._live.items() if after is not None and _needs(after, key[1])}
        return seconds


def _needs(case: Case, node: str) -> bool:
    return not node or f"{case.file}::{case.group}::".startswith(f"{node}::") or case.file.startswith(f"{node}/")


def load(name: str) -> Recording:
    """Reads a recording. Raises NotAvailable."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        raise NotAvailable(f"{name} is not recorded: python -m benchmarks.makespan --record")
    found = json.loads(path.read_text())
    fixtures = tuple(
        Fixture(one, scope, parameter, units * _UNIT) for one, scope, parameter, units in found["fixtures"]
    )
    cases = tuple(
        Case(file, group, int(units) * _UNIT, tuple(uses))
        for file, group, uses, durations in found["cases"]
        for units in durations.split()
    )
    return Recording(name, fixtures, cases)


def record(subject: Subject) -> None:
    """Runs a suite alone under plain pytest and writes its recording. Raises NotAvailable."""
    laid = made_ready(subject)
    raw = FOLDER / f"{subject.name}.raw"
    variables = {**environment(), "RECORDING": str(raw), "PYTHONPATH": str(_PLUGIN)}
    command = [str(laid.python), "-m", "pytest", "-q", "-p", "recorder", "-p", "no:cacheprovider", *laid.arguments]
    done = timed(command, laid.root, variables)
    if not raw.exists():
        raise NotAvailable(f"{subject.name}: {done.output[-300:]}")
    found = json.loads(raw.read_text())
    raw.unlink()
    dear = [number for number, one in enumerate(found["fixtures"]) if one[3] >= _DEAR]
    place_of = {number: place for place, number in enumerate(dear)}
    fixtures = [[*found["fixtures"][number][:3], round(found["fixtures"][number][3] / _UNIT)] for number in dear]
    chunks: list[tuple[list, list[str]]] = []
    for case in found["cases"]:
        file, _, rest = case["id"].partition("::")
        uses = [place_of[use] for use in case["uses"] if use in place_of]
        place = [file, rest.partition("[")[0].rpartition("::")[0], uses]
        if not chunks or chunks[-1][0] != place:
            chunks.append((place, []))
        chunks[-1][1].append(str(max(round((case["seconds"] - case["shared"]) / _UNIT), 1)))
    lines = [json.dumps([*place, " ".join(units)]) for place, units in chunks]
    text = ",\n".join(lines)
    head = ",\n".join(map(json.dumps, fixtures))
    (FOLDER / f"{subject.name}.json").write_text(f'{{"fixtures": [\n{head}\n],\n"cases": [\n{text}\n]}}\n')
