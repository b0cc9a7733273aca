"""What became of one case over many runs: rates with their intervals, where it failed, how its last runs ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from crossfleet.coordinator.core.outcomes import BAD, Outcome

_RECENT = 40
_LETTERS = {
    Outcome.PASSED: ".",
    Outcome.FAILED: "F",
    Outcome.ERROR: "E",
    Outcome.CRASHED: "C",
    Outcome.TIMED_OUT: "T",
    Outcome.FLAKY: "R",
    Outcome.SKIPPED: "s",
    Outcome.XFAILED: "x",
    Outcome.XPASSED: "X",
}
WHOLE_WORKER = -1
"""Stands for all slots of a worker together."""
_GOOD = frozenset({Outcome.PASSED, Outcome.XFAILED, Outcome.XPASSED})
# Of the normal distribution, for 95 %.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Execution:
    """A committed result. `at`: unix seconds at which its run was submitted, which orders them.

    `content` names what was tested (empty: unknown). `counts`: it is its run's verdict; else a failure before a rerun.
    `executed` is false for a verdict that no execution gave.
    """

    run_id: str
    at: float
    content: str
    outcome: Outcome
    seconds: float
    message: str
    worker_id: str
    slot: int
    counts: bool = True
    executed: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by outcome; what was skipped or never ran is in none."""

    passed: int = 0
    failed: int = 0
    flaky: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.flaky

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate of those that did not simply pass."""
        return wilson(self.failed + self.flaky, self.total)


@dataclass(frozen=True, slots=True)
class History:
    """One case on one target. `places` are single executions, by worker and slot or WHOLE_WORKER; the rest is by run."""

    runs: Tally
    places: Mapping[tuple[str, int], Tally]
    recent: str
    median_seconds: float
    last_failure: Execution | None
    contradictions: int

    @property
    def flaky(self) -> bool:
        """Whether it was seen to pass and fail on the same content."""
        return bool(self.runs.flaky or self.contradictions)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a rate: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
    Inference", Journal of the American Statistical Association 22 (1927). (0, 1) where nothing is known.
    """
    if not total:
        return 0.0, 1.0
    rate, square = hits / total, _Z * _Z
    middle = rate + square / (2 * total)
    spread = _Z * math.sqrt(rate * (1 - rate) / total + square / (4 * total * total))
    scale = 1 + square / total
    # Rounding errors must not leave the range, nor the rate itself.
    return max(min((middle - spread) / scale, rate), 0.0), min(max((middle + spread) / scale, rate), 1.0)


def summarise(executions: Iterable[Execution]) -> History:
    """The history that some executions make up, whatever their order."""
    ordered = sorted(executions, key=lambda one: (one.at, one.run_id, one.counts))
    verdicts = [one for one in ordered if one.counts]
    failures = [one for one in verdicts if one.outcome in BAD or one.outcome is Outcome.FLAKY]
    seconds = [one.seconds for one in verdicts if one.executed and one.outcome in _LETTERS]
    return History(
        runs=_tally([one.outcome for one in verdicts]),
        places=_places(ordered),
        recent="".join(_LETTERS.get(one.outcome, "") for one in verdicts)[-_RECENT:],
        median_seconds=median(seconds) if seconds else 0.0,
        last_failure=failures[-1] if failures else None,
        contradictions=_contradictions(verdicts),
    )


def _tally(outcomes: Sequence[Outcome]) -> Tally:
    return Tally(
        passed=sum(one in _GOOD for one in outcomes),
        failed=sum(one in BAD for one in outcomes),
        flaky=sum(one is Outcome.FLAKY for one in outcomes),
    )


def _places(executions: Sequence[Execution]) -> dict[tuple[str, int], Tally]:
    """A flaky run failed at some place and passed at the last; where nothing else is known, at the same."""
    told = {one.run_id for one in executions if not one.counts}
    shown: dict[tuple[str, int], list[Outcome]] = {}
    for one in executions:
        if not one.executed:
            continue
        outcomes = [one.outcome]
        if one.outcome is Outcome.FLAKY:
            outcomes = [Outcome.PASSED] if one.run_id in told else [Outcome.FAILED, Outcome.PASSED]
        for slot in (WHOLE_WORKER, one.slot):
            shown.setdefault((one.worker_id, slot), []).extend(outcomes)
    tallies = {place: _tally(outcomes) for place, outcomes in sorted(shown.items())}
    return {place: tally for place, tally in tallies.items() if tally.total}


def _contradictions(verdicts: Sequence[Execution]) -> int:
    """On how many contents it passed in one run and failed in another."""
    seen: dict[str, set[bool]] = {}
    for one in verdicts:
        if one.content and (one.outcome in BAD or one.outcome in _GOOD):
            seen.setdefault(one.content, set()).add(one.outcome in BAD)
    return sum(len(both) == 2 for both in seen.values())
