"""What is left of a group's work, and what is not known of it: of measured cases little, of others what those that ran have shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from crossfleet.coordinator.core.lognormal import MIDDLE, LogNormal, longest_of, several, total
from crossfleet.coordinator.core.model import Allocation, Group, Slot, State
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.core.shown import Shown
from crossfleet.coordinator.core.underway import Underway

# Two executions of a measured case differ by so much, and whole runs by as much as that; both of logarithms.
_NOISE, _COMMON = 0.3, 0.2
# The same of what was never measured, as the ratio to what it was taken for: between cases, and of their middle.
_SPREAD, _SPREAD_WEIGHT, _WIDEST = 1.2, 4.0, 2.5
# What the middle is before any has shown something: where others of the suite were measured, and where none was.
_AMONG_MEASURED, _AMONG_UNKNOWN = LogNormal(-0.5, 1.2), LogNormal(1.6, 2.2)
# Of so many that execute each is looked at when the middle is sought, and of the latest so many when the end is.
_MOST_LOOKED, _MOST_APART = 64, 16
_STEPS = 4
# Cases of one file are alike: what has run says only so much of what has not.
_FILES = 0.5
_FAR = 8.0


@dataclass(frozen=True, slots=True)
class Remaining:
    """`work`: slot-seconds of what has not begun. `longest` of it; None where that is nothing. What executes is `underway`.

    `longest_first`: how long that takes is known, and so it goes first.
    """

    work: LogNormal
    longest: LogNormal | None = None
    longest_first: bool = True
    underway: tuple[Underway, ...] = ()


@dataclass(frozen=True, slots=True)
class _Running:
    """A case that executes: the name of its slot, what it was taken for, and the seconds that it has run.

    So many cases wait `behind` it on its slot, and were taken for `behind_seconds` in all.
    """

    name: str
    estimated: float
    elapsed: float
    measured: bool
    behind: int
    behind_seconds: float


@dataclass(frozen=True, slots=True)
class _Queued:
    """So many cases, and what they are taken for in all."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Of actual to estimated seconds, in logarithms: its middle, how unsure that is, and the spread of single cases."""

    middle: float
    unsure: float
    spread: float

    def of(self, estimated: float) -> LogNormal:
        """What one case takes."""
        return LogNormal(math.log(estimated) + self.middle, math.hypot(self.unsure, self.spread))

    def total(self, queued: _Queued) -> LogNormal:
        """What so many take in all."""
        return several(self.of(queued.seconds / queued.count), queued.count, self.spread)

    def longest(self, queued: _Queued) -> LogNormal:
        """What the longest of so many takes, if they were all taken for the same."""
        return longest_of(self.of(queued.seconds / queued.count), queued.count, self.spread)


def remaining(state: State, group: Group, now: float) -> Remaining:
    """Of a group whose cases are collected."""
    running = list(_running(state, group, now))
    measured = _measured(group.shown)
    guessed = _guessed(group, [one for one in running if not one.measured])
    underway = [_underway(one, measured if one.measured else guessed) for one in running]
    underway.sort(key=lambda one: one.left(MIDDLE), reverse=True)
    parts = [one.about() for one in underway[_MOST_APART:]]
    longest: list[tuple[LogNormal, bool]] = []
    known, unknown = _queued(state, group, running)
    if known.count and known.seconds > 0:
        parts.append(measured.total(known))
        longest.append((measured.of(min(group.queue.longest, known.seconds)), True))
    if unknown.count and unknown.seconds > 0:
        parts.append(guessed.total(unknown))
        longest.append((guessed.longest(unknown), False))
    piece, first = max(longest, key=lambda one: one[0].mu, default=(None, True))
    return Remaining(total([], [[one] for one in parts]), piece, first, tuple(underway[:_MOST_APART]))


def executing(state: State, allocation: Allocation, now: float) -> list[Underway]:
    """What the slots of an allocation execute, also while it is being given back."""
    group = state.groups[allocation.group_id]
    running = list(_running_in(state, group, allocation, now))
    measured = _measured(group.shown)
    guessed = _guessed(group, [one for one in running if not one.measured])
    return [_underway(one, measured if one.measured else guessed) for one in running]


def _queued(state: State, group: Group, running: Sequence[_Running]) -> tuple[_Queued, _Queued]:
    """What no slot has yet: of measured cases, and of others."""
    whole = _Queued(group.open_cases, group.queue.seconds + sum(state.attempts[one].seconds for one in group.attempts))
    if not group.any_measured:
        return _Queued(0, 0.0), _less(whole, running)
    estimates, outcomes = group.queue.estimates, group.outcomes
    left = [estimates[index] for index in group.unmeasured if outcomes[index] == Outcome.PENDING]
    unknown = _Queued(len(left), sum(left))
    known = _Queued(whole.count - unknown.count, whole.seconds - unknown.seconds)
    return _less(known, [one for one in running if one.measured]), _less(
        unknown, [one for one in running if not one.measured]
    )


def _less(whole: _Queued, running: Sequence[_Running]) -> _Queued:
    count = sum(1 + one.behind for one in running)
    return _Queued(
        max(whole.count - count, 0), whole.seconds - sum(one.estimated + one.behind_seconds for one in running)
    )


def _underway(one: _Running, ratio: _Ratio) -> Underway:
    queued = _Queued(one.behind, one.behind_seconds)
    behind = ratio.total(queued) if queued.count and queued.seconds > 0 else None
    return Underway(one.name, ratio.of(one.estimated), one.elapsed, behind)


def _running(state: State, group: Group, now: float) -> Iterator[_Running]:
    for allocation in (state.allocations[one] for one in sorted(group.allocations)):
        # What runs in one that is being given back holds no slot of the group: it is work like any other.
        if not allocation.closing:
            yield from _running_in(state, group, allocation, now)


def _running_in(state: State, group: Group, allocation: Allocation, now: float) -> Iterator[_Running]:
    estimates = group.queue.estimates
    for slot in allocation.slots.values():
        case = _executes(state, slot)
        if not 0 <= case < len(estimates):
            continue
        held = [state.attempts[one] for one in slot.attempts]
        yield _Running(
            f"{allocation.allocation_id}/{slot.number}",
            estimates[case],
            max(now - slot.heard_at, 0.0),
            group.measured(case),
            sum(len(one.pending) for one in held) - 1,
            max(sum(one.seconds for one in held) - estimates[case], 0.0),
        )


def _executes(state: State, slot: Slot) -> int:
    """The case that a slot executes; -1 where it is none."""
    if not slot.attempts:
        return -1
    attempt = state.attempts[slot.attempts[0]]
    rest = islice(attempt.cases, attempt.settled, None)
    return next((index for index in rest if index in attempt.pending), -1)


def _measured(shown: Shown) -> _Ratio:
    """The whole run differs from earlier ones: as it has shown, the more surely the more it has."""
    middle, certainty = _NOISE**2 / 2, 1 / _COMMON**2
    if shown.estimated > 0:
        own = shown.estimated**2 / (shown.squares * _NOISE**2)
        middle = (middle * certainty + math.log(shown.actual / shown.estimated) * own) / (certainty + own)
        certainty += own
    return _Ratio(middle, 1 / math.sqrt(certainty), _NOISE)


def _guessed(group: Group, running: Sequence[_Running]) -> _Ratio:
    """As far as those that have ended show it, and those that have not yet: what lasts long says so before it ends."""
    prior = _AMONG_MEASURED if group.any_measured else _AMONG_UNKNOWN
    shown, looked = group.shown, running[:: len(running) // _MOST_LOOKED + 1]
    count = shown.guessed
    squares = shown.ratio_squares - shown.ratios**2 / count if count else 0.0
    wide = math.sqrt((max(squares, 0.0) + _SPREAD_WEIGHT * _SPREAD**2) / (max(count - 1, 0) + _SPREAD_WEIGHT))
    spread = min(wide, _WIDEST)
    ratios = [math.log(one.elapsed / one.estimated) for one in looked if one.elapsed > 0]
    middle, certainty = prior.mu, 1.0
    for _ in range(_STEPS):
        certainty = 1 / prior.sigma**2 + count / spread**2
        weighted = prior.mu / prior.sigma**2 + shown.ratios / spread**2
        for ratio in ratios:
            # What has lasted so long and goes on counts as a longer one that has ended, as far as it tells anything.
            at = (ratio - middle) / spread
            beyond = _beyond(at)
            weight = beyond * (beyond - at) / spread**2
            certainty += weight
            weighted += weight * middle + beyond / spread
        middle = weighted / certainty
    return _Ratio(middle, math.sqrt(1 / certainty + _FILES**2), spread)


def _beyond(at: float) -> float:
    """How far, in standard deviations, what lies beyond that many of them is on average."""
    if at > _FAR:
        return at + 1 / at
    return math.sqrt(2 / math.pi) * math.exp(-at * at / 2) / math.erfc(at / math.sqrt(2))
