"""A quota: the most that a project holds and runs at a time; its commands and facts, and what is left of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from crossfleet.matching.classes import UNKNOWN

Takes = tuple[tuple[str, int], ...]
"""Devices that one slot takes, by class."""
NO_LIMIT = 1 << 32
SLOTS, RUNS = "slots", "runs"
QUOTA = "quota"
"""Why a group is held back."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The most slots and devices by class that a project holds, and the most of its runs that have begun; None: no limit."""

    project: str
    slots: int | None = None
    runs: int | None = None
    devices: Takes = ()


@dataclass(slots=True)
class Tally:
    """What a project has: slots and devices in its allocations, runs that have `begun` and are not over, `groups` that are not.

    `settled`: nothing has changed since its quota was looked at. A memory, not a fact.
    """

    slots: int = 0
    devices: Counter[str] = field(default_factory=Counter)
    allocations: dict[str, None] = field(default_factory=dict)
    begun: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    settled: bool = field(default=False, compare=False)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.allocations or self.begun or self.groups)

    def take(self, takes: Takes, slots: int, run_id: str) -> None:
        """So many slots more are held for a run, or less."""
        self.slots += slots
        for name, each in takes:
            self.devices[name] += each * slots
            if not self.devices[name]:
                del self.devices[name]
        if slots > 0:
            self.begun[run_id] = None

    def copy(self) -> Tally:
        """What counts toward a quota, to be reckoned with."""
        return Tally(self.slots, self.devices.copy(), begun=self.begun.copy())

    def held(self, name: str) -> int:
        """What it has of something that has a limit. A device of unknown class may be of any."""
        if name in {SLOTS, RUNS}:
            return self.slots if name == SLOTS else len(self.begun)
        return self.devices[name] + self.devices[UNKNOWN]


def needs(quota: Quota, tally: Tally, takes: Takes, slots: int, run_id: str) -> Iterator[tuple[str, int, int]]:
    """What so many slots of a run need of each thing that has a limit, and that limit."""
    if quota.runs is not None and run_id not in tally.begun:
        yield RUNS, 1, quota.runs
    if quota.slots is not None:
        yield SLOTS, slots, quota.slots
    each = dict(takes)
    for name, most in quota.devices:
        amount = each.get(name, 0) + each.get(UNKNOWN, 0)
        if amount:
            yield name, amount * slots, most


def slots_left(quota: Quota, tally: Tally, takes: Takes, run_id: str) -> int:
    """How many more slots of a run the quota leaves."""
    left = NO_LIMIT
    for name, amount, most in needs(quota, tally, takes, 1, run_id):
        free = max(most - tally.held(name), 0)
        if name == RUNS:
            left = left if free else 0
        else:
            left = min(left, free // amount)
    return left


@dataclass(frozen=True, slots=True)
class SetQuota:
    """A person limits a project, in place of what limited it before."""

    quota: Quota


@dataclass(frozen=True, slots=True)
class RemoveQuota:
    """A person lifts a project's limits."""

    project: str


@dataclass(frozen=True, slots=True)
class QuotaSet:
    """The project has so much from now on; what it holds it keeps."""

    quota: Quota


@dataclass(frozen=True, slots=True)
class QuotaRemoved:
    """The project has no limits."""

    project: str


@dataclass(frozen=True, slots=True)
class GroupOverQuota:
    """The group is not offered to schedulers, as its project's quota leaves too little; `text` says more. Empty: it is again."""

    run_id: str
    group_id: str
    text: str


QuotaFact = QuotaSet | QuotaRemoved | GroupOverQuota
