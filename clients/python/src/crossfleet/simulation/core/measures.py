"""What is measured while a trace is played, and what it comes to."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import inf

from crossfleet.simulation.core.accounts import ProjectAccount, jain
from crossfleet.simulation.core.curve import Level
from crossfleet.simulation.core.model import Group
from crossfleet.simulation.core.standing import Standing

_SHORTEST = 10.0
"""Groups that are shorter do not make slowdowns large: the bound of Feitelson's bounded slowdown, in seconds."""
_MOST_KINDS = 50
OTHER = "other"


@dataclass(slots=True)
class Measures:
    """Counts and distributions. Seconds are of the virtual clock; `lost` of cases that were begun in vain."""

    busy: Level = field(default_factory=Level)
    held: Level = field(default_factory=Level)
    slots: Level = field(default_factory=Level)
    queue: Level = field(default_factory=Level)
    waits: dict[str, array[float]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    wide: array[float] = field(default_factory=lambda: array("d"))
    slowdowns: array[float] = field(default_factory=lambda: array("d"))
    submitted: int = 0
    finished: int = 0
    cases: int = 0
    first: float = 0.0
    last: float = 0.0
    revoked: int = 0
    closing: float = 0.0
    lost: float = 0.0
    lost_cases: int = 0
    workers_lost: int = 0
    plans: int = 0
    granted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    last_refusal: str = ""

    def came(self, group: Group, now: float) -> None:
        """A group was submitted."""
        if not self.submitted:
            self.first = now
            for level in (self.busy, self.held, self.slots, self.queue):
                level.begin(now)
        self.submitted += 1
        standing = self._standing(group)
        standing.groups += 1
        standing.due += group.deadline < inf

    def begun(self, group: Group, now: float) -> None:
        """A group got its first slots."""
        kind = group.kind if group.kind in self.waits or len(self.waits) < _MOST_KINDS else OTHER
        self.waits.setdefault(kind, array("d")).append(now - group.submitted)
        self._standing(group).waits.append(now - group.submitted)
        if is_wide(group):
            self.wide.append(now - group.submitted)

    def taken_back(self, group: Group) -> None:
        """An allocation of a group was revoked."""
        self.revoked += 1
        self._standing(group).revoked += 1

    def lost_work(self, group: Group, seconds: float) -> None:
        """So much of a case was executed in vain."""
        self.lost += seconds
        self.lost_cases += 1
        self._standing(group).lost += seconds

    def over(self, group: Group, now: float) -> None:
        """A group has ended, each of its cases once."""
        self.finished += 1
        self.cases += group.done
        self.last = max(self.last, now)
        self.slowdowns.append(max((now - group.submitted) / max(group.alone, _SHORTEST), 1.0))
        self._standing(group).ended(group.deadline, now)

    def left(self, group: Group) -> None:
        """A group never ends: it has missed a deadline as well."""
        self._standing(group).missed += group.deadline < inf

    def _standing(self, group: Group) -> Standing:
        return self.standings.setdefault(group.standing.name if group.standing is not None else "", Standing())


def is_wide(group: Group) -> bool:
    """Whether smaller work could keep it out for ever: a gang, a whole worker, several slots at once."""
    request = group.request
    return request.gang > 1 or request.exclusive or request.slots_min > 1


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    most: float

    @staticmethod
    def of(values: array[float] | list[float]) -> Spread:
        """Of so many values; zeros of none. Percentiles are values that occur: of n the one at rank ceil(p n)."""
        if not values:
            return Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        ranked = sorted(values)
        size = len(ranked)

        def at(percent: int) -> float:
            return ranked[max(-(-percent * size // 100) - 1, 0)]

        return Spread(size, sum(ranked) / size, at(50), at(90), at(99), ranked[-1])


@dataclass(frozen=True, slots=True)
class Results:
    """What one scheduler made of a trace.

    Of the groups that were left waiting at the end it said of the `unsatisfiable` ones that no worker fits them, of the
    `stuck` ones it did not.
    """

    measures: Measures
    projects: tuple[ProjectAccount, ...]
    contended: float
    stuck: int
    unsatisfiable: int

    @property
    def makespan(self) -> float:
        """Seconds from the first submission to the last end."""
        return max(self.measures.last - self.measures.first, 0.0)

    @property
    def utilisation(self) -> float:
        """Part of all slots' time, while they were there and the trace was played, in which a case was executed."""
        slots = self.measures.slots.curve.integral()
        return self.measures.busy.curve.integral() / slots if slots > 0 else 0.0

    @property
    def occupation(self) -> float:
        """The same of the time in which slots were held."""
        slots = self.measures.slots.curve.integral()
        return self.measures.held.curve.integral() / slots if slots > 0 else 0.0

    @property
    def fairness(self) -> float:
        """Jain's index over what each project got of what it was due by its weight, while that was contended."""
        return jain([one.got / one.due for one in self.projects if one.due > 0])
