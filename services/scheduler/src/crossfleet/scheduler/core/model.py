"""The words of planning: groups that want slots, allocations that hold them, plans."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from crossfleet.matching.misfit import Wait
from crossfleet.matching.model import Portions, Request, WorkerView


@dataclass(frozen=True, slots=True)
class Group:
    """The tasks of one run with one target. ``wanted_slots`` is over and above what it holds.

    ``submitted_at`` and ``deadline`` are in seconds since 1970, the latter infinite where nobody said; a larger ``priority``
    goes first. ``warm`` are workers on which there is less to do before its first case, the best first. One that
    ``preempts`` may have slots of lower priority that are ``preemptible``; where that is not said (None) the policy decides.
    """

    id: str
    run_id: str = ""
    project: str = ""
    target: str = ""
    request: Request = field(default_factory=Request)
    priority: int = 0
    submitted_at: float = 0.0
    deadline: float = inf
    wanted_slots: int = 0
    remaining_cases: int = 0
    collected: bool = False
    estimated_seconds: float = 0.0
    avoid: frozenset[str] = frozenset()
    warm: tuple[str, ...] = ()
    preempts: bool = False
    preemptible: bool | None = None


@dataclass(frozen=True, slots=True)
class Allocation:
    """Slots and devices of one worker that a group holds, ``closing`` ones included; of those in ``portions`` only so much."""

    id: str
    group_id: str
    worker_id: str
    slots: int
    device_ids: tuple[str, ...] = ()
    closing: bool = False
    portions: Portions = ()


@dataclass(frozen=True, slots=True)
class Share:
    """What a project is to have of a contended fleet, and what it had.

    ``weight`` is relative to other projects. ``used`` is the part of the fleet that it held lately, by resource
    (``cpu`` or a device class), where what lies one half-life back counts half: 0.25 is a quarter of all.
    """

    project: str
    weight: float = 1.0
    used: Mapping[str, float] = field(default_factory=dict)


class Proposal(NamedTuple):
    """Slots of one worker proposed for a group. Those of one ``gang`` are granted together or not at all.

    A device of which slots take portions is named once for each of them; ``portions`` is what they take together.
    """

    group_id: str
    worker_id: str
    slots: int
    device_ids: tuple[str, ...] = ()
    gang: str = ""
    portions: Portions = ()


class Waiting(NamedTuple):
    """Why a group gets less than it wants."""

    group_id: str
    wait: Wait
    code: str
    text: str


@dataclass(frozen=True)
class Plan:
    """What is proposed on a revision, and why groups wait that get less than they want.

    ``waiting`` has those alone whose reason was not told before. ``short`` counts all groups that wait.
    """

    base_revision: int
    allocate: tuple[Proposal, ...] = ()
    revoke: tuple[str, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    short: int = 0


@dataclass(frozen=True)
class Policy:
    """How the default scheduler decides. Seconds are of the leader's clock.

    A proposal counts as held until its outcome is known, at most ``pending_seconds``. A refused placement is
    not proposed again until its worker or group changed, or ``refusal_seconds`` went by: else the two sides would
    repeat themselves for ever. Of a project that holds nothing at one priority, the oldest group gets its fewest
    slots before all others once it has waited ``patience_seconds``. At most ``reservations`` requests that do not fit
    keep workers for themselves; once they have waited so long, nothing passes them, however soon it may end.
    Allocations are taken back, between two tasks, for work that is more urgent by ``preemption_gap`` at least (0: never),
    and for a project from one whose share is ``preemption_ratio`` times as large also then (0: never); at most
    ``preemptions_per_hour``.
    """

    pending_seconds: float = 5.0
    refusal_seconds: float = 1.0
    patience_seconds: float = 1800.0
    reservations: int = 2
    preemption_gap: int = 0
    preemption_ratio: float = 0.0
    preemptions_per_hour: int = 60


@dataclass(frozen=True)
class Delta:
    """What changed since the revision before: whole rows, and the ids of those that are gone."""

    workers: tuple[WorkerView, ...] = ()
    groups: tuple[Group, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    shares: tuple[Share, ...] = ()
    removed_workers: tuple[str, ...] = ()
    removed_groups: tuple[str, ...] = ()
    removed_allocations: tuple[str, ...] = ()
