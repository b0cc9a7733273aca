"""The health of a host, or of one of its devices: from evidence to quarantine, and back or out for a person.

Values and pure steps. Every step that is taken in quarantine has a limit of time, every round a limit of steps, and the
number of rounds a limit: whoever is out comes back or is `HELD`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum

MOST_INCIDENTS = 16
MOST_SUBJECTS = 64
ONE_INCIDENT_SECONDS = 2.0
"""A process that dies takes its neighbours along: what follows so soon for the same cause is the same incident."""
_MOST_REPORT = 2000
_FORGOTTEN = 0.05


class Stage(IntEnum):
    """Where a host or device stands; numbers equal crossfleet.api.coordinator.v1.HealthStage."""

    WELL = 1
    CAPPED = 2
    TESTING = 3
    RESTING = 4
    CANARY = 5
    HELD = 6


class Answer(IntEnum):
    """What came of a test or a canary. OPEN: it said nothing."""

    NONE = 0
    GOOD = 1
    BAD = 2
    OPEN = 3


OUT = frozenset({Stage.TESTING, Stage.RESTING, Stage.CANARY, Stage.HELD})
"""Stages in which nothing new is placed."""


@dataclass(frozen=True, slots=True)
class CarePolicy:
    """When a host is taken out, and how it comes back. Seconds; `share` of a pool, 0 takes nobody out.

    `failures`: so many within about a third of `half_life` are too much.
    """

    share: float = 1 / 3
    failures: float = 3.0
    rounds: int = 3
    half_life: float = 600.0
    test_seconds: float = 60.0
    repair_seconds: float = 600.0
    canary_seconds: float = 900.0
    rest_seconds: float = 60.0
    forgive_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class CareForHosts:
    """Time went by: whoever has failed too much is taken out, whoever is out goes a step on."""

    policy: CarePolicy


@dataclass(frozen=True, slots=True)
class Incident:
    """A failure of infrastructure: when (unix seconds), how it is called, how much it weighs.

    `subjects` are the cases that were executing, or the group that could not begin: where the same one fails on another
    host, that host and this one are not to blame.
    """

    at: float
    cause: str
    weight: float
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a host or device. `since` is when its stage began, `until` when that ends by itself.

    `request` numbers its tests; `repair`: the hook runs before this one; `last`: it stands for a canary. `allocation` is
    the canary. `report` is what the last test or canary said.
    """

    stage: Stage = Stage.WELL
    cause: str = ""
    since: float = 0.0
    until: float = 0.0
    incidents: tuple[Incident, ...] = ()
    rounds: int = 0
    request: int = 0
    repair: bool = False
    last: bool = False
    allocation: str = ""
    answer: Answer = Answer.NONE
    report: str = ""
    pool: str = ""

    @property
    def out(self) -> bool:
        """Whether nothing new is placed there."""
        return self.stage in OUT

    @property
    def asks(self) -> bool:
        """Whether it waits for the answer to its test."""
        return self.stage is Stage.TESTING and not self.answer


def score(health: Health, now: float, half_life: float) -> float:
    """How much speaks against it: the weights of its incidents, each halved for every half-life of its age."""
    return sum(one.weight * math.exp2(min(one.at - now, 0.0) / half_life) for one in health.incidents)


def too_much(health: Health, now: float, policy: CarePolicy) -> bool:
    """Whether it has failed as often as the policy bears. Half a failure is forgiven to time, else a few would never be enough."""
    return score(health, now, policy.half_life) >= policy.failures - 0.5


def blamed(health: Health, incident: Incident) -> Health:
    """One incident more; the oldest are forgotten. What comes at once for one cause is one incident, and so is the same subject."""
    kept = [one for one in health.incidents if not incident.subjects or one.subjects != incident.subjects]
    if kept and kept[-1].cause == incident.cause and incident.at - kept[-1].at < ONE_INCIDENT_SECONDS:
        before = kept.pop()
        subjects = tuple(dict.fromkeys((*before.subjects, *incident.subjects)))[:MOST_SUBJECTS]
        incident = replace(before, subjects=subjects)
    return replace(health, incidents=(*kept, incident)[-MOST_INCIDENTS:])


def cleared(health: Health, subjects: frozenset[str]) -> Health:
    """Without the incidents in which one of these had a part."""
    kept = tuple(one for one in health.incidents if subjects.isdisjoint(one.subjects))
    return replace(health, incidents=kept) if len(kept) < len(health.incidents) else health


def capped(health: Health, now: float, cause: str) -> Health:
    """It would be taken out, but too many are."""
    return replace(health, stage=Stage.CAPPED, cause=cause, since=now)


def quarantined(health: Health, now: float, cause: str, policy: CarePolicy, pool: str = "") -> Health:
    """It is taken out, and the first test begins; one that came back too often already is held at once."""
    if health.rounds >= policy.rounds:
        return replace(health, stage=Stage.HELD, cause=cause, since=now, until=0.0, pool=pool)
    out = replace(health, cause=cause, since=now, rounds=health.rounds + 1, pool=pool, report="")
    return _test(out, now, policy)


def answered(health: Health, answer: Answer, report: str) -> Health:
    """The test or canary has ended; what follows is up to `step`."""
    return replace(health, answer=answer, report=report[:_MOST_REPORT])


def canary_begun(health: Health, allocation: str, now: float, policy: CarePolicy) -> Health:
    """A real task is on its way there."""
    return replace(health, allocation=allocation, until=now + policy.canary_seconds)


def back(health: Health, now: float) -> Health:
    """In service again. Its rounds are remembered for a while, so that one who always comes back soon is held."""
    return Health(Stage.WELL, "", now, rounds=health.rounds, request=health.request, report=health.report)


def released(health: Health, now: float) -> Health:
    """A person has decided: in service, with nothing against it."""
    return Health(Stage.WELL, "", now, request=health.request)


def step(health: Health, now: float, policy: CarePolicy) -> Health:
    """What follows from the answer that has come, or from the time that has passed. The same: nothing yet."""
    late = now >= health.until
    match health.stage:
        case Stage.WELL if health.rounds and now - health.since >= policy.forgive_seconds:
            return replace(health, rounds=0)
        case Stage.WELL if health.incidents and score(health, now, policy.half_life) < _FORGOTTEN:
            return replace(health, incidents=())
        case Stage.CAPPED if not too_much(health, now, policy):
            return replace(health, stage=Stage.WELL, cause="", since=now)
        case Stage.TESTING if health.answer or late:
            return _tested(health, now, policy)
        case Stage.RESTING if late:
            return _test(replace(health, rounds=health.rounds + 1), now, policy)
        case Stage.CANARY if health.answer or (health.allocation and late):
            return _after_canary(health, now, policy)
    return health


def without_work(health: Health, now: float, policy: CarePolicy) -> Health:
    """No task waits that could be its canary: one more test stands for it."""
    return _test(health, now, policy, last=True)


def _test(health: Health, now: float, policy: CarePolicy, *, repair: bool = False, last: bool = False) -> Health:
    return replace(
        health,
        stage=Stage.TESTING,
        request=health.request + 1,
        repair=repair,
        last=last,
        allocation="",
        answer=Answer.NONE,
        until=now + policy.test_seconds + (policy.repair_seconds if repair else 0.0),
    )


def _tested(health: Health, now: float, policy: CarePolicy) -> Health:
    if health.answer is Answer.GOOD:
        return back(health, now) if health.last else replace(health, stage=Stage.CANARY, answer=Answer.NONE, until=now)
    if not health.repair:
        return _test(health, now, policy, repair=True, last=health.last)
    return _round_failed(health if health.answer else replace(health, report="the test was not answered"), now, policy)


def _after_canary(health: Health, now: float, policy: CarePolicy) -> Health:
    if health.answer is Answer.GOOD:
        return back(health, now)
    if health.answer is Answer.OPEN:
        return without_work(health, now, policy)
    return _round_failed(health if health.answer else replace(health, report="its canary did not begin"), now, policy)


def _round_failed(health: Health, now: float, policy: CarePolicy) -> Health:
    resting = replace(health, allocation="", answer=Answer.NONE)
    if health.rounds >= policy.rounds:
        return replace(resting, stage=Stage.HELD, until=0.0)
    return replace(resting, stage=Stage.RESTING, until=now + policy.rest_seconds * 2.0 ** (health.rounds - 1))
