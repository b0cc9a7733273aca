"""How long a case will take on one class of devices and one build, and how sure that is.

What was measured there comes first. What was measured of the case elsewhere (another class, another build, another
machine) is scaled by the ratio of the cases that both have seen. A case that nobody has seen is like others: of its
function, its class, its file, its folders, its suite, each level leaning on the wider one while it has few cases.
Everything is counted in logarithms of seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from crossfleet.coordinator.core.durations import Duration
from crossfleet.coordinator.core.lognormal import LogNormal
from crossfleet.coordinator.core.similarity import SUITE, kin

UNKNOWN = LogNormal(math.log(0.05), 2.5)
"""A case of a suite of which nothing was ever measured."""

# Before anything is measured: between two executions of one case, between two cases, between two histories of one case.
_NOISE, _SPREAD, _RATIO = 0.3, 2.0**2, 1.0
# So many executions or cases does each of these weigh.
_NOISE_WEIGHT, _MEAN_WEIGHT, _SPREAD_WEIGHT, _RATIO_WEIGHT = 4.0, 0.5, 1.0, 1.0
_LEAST_NOISE = 0.02
_ONE = 0.01

Known = Mapping[str, Duration]
"""What is known of cases, by their ids."""


class DurationModel:
    """Answers for one history. `others` are histories of the same suite, the most similar first."""

    def __init__(self, own: Known, others: Sequence[Known] = ()) -> None:
        self._own = own
        self._noise = _Noise((own, *others))
        self._others = [_Elsewhere(other, own) for other in others if other]

    def knows(self, case_id: str) -> bool:
        """Whether the case was ever measured, here or elsewhere."""
        return case_id in self._own or any(case_id in other.known for other in self._others)

    def expect(self, case_id: str) -> LogNormal:
        """What the next execution takes."""
        own = self._own.get(case_id)
        elsewhere = [found for other in self._others if (found := other.scaled(case_id, self._noise)) is not None]
        if own is None and not elsewhere:
            return self._kin.expect(case_id)
        noise = self._noise.of(own) if own is not None else self._noise.at(elsewhere[0].mu)
        sources = [(one.mu, one.sigma**2) for one in elsewhere]
        if own is not None:
            sources.append((own.mean, noise**2 / own.executions))
        # What is surest weighs most.
        certainty = sum(1 / variance for _, variance in sources)
        mu = sum(mean / variance for mean, variance in sources) / certainty
        return LogNormal(mu, math.sqrt(noise**2 + 1 / certainty))

    def like(self, case_id: str) -> str:
        """What an unseen case has in common with seen ones, the closest such thing: those of one such thing err alike."""
        return self._kin.closest(case_id)

    @cached_property
    def _kin(self) -> _Kin:
        return _Kin(self._means())

    def _means(self) -> dict[str, float]:
        means = {case_id: found.mean for case_id, found in self._own.items()}
        for other in self._others:
            for case_id, found in other.known.items():
                means.setdefault(case_id, found.mean + other.ratio)
        return means


class _Noise:
    """How much two executions of one case differ: by how long it takes, as what is short is jolted more.

    Deviations are pooled, not their squares: one case that was interrupted once must not make all unsure.
    """

    def __init__(self, histories: Sequence[Known]) -> None:
        sums: dict[int, tuple[float, float]] = {}
        for one in (one for known in histories for one in known.values()):
            deviation, free = _deviation(one)
            if free > 0:
                deviations, count = sums.get(_decade(one.mean), (0.0, 0.0))
                sums[_decade(one.mean)] = (deviations + deviation, count + free)
        self._everywhere = _pooled(
            sum(deviations for deviations, _ in sums.values()), sum(count for _, count in sums.values()), _NOISE
        )
        self._by_decade = {key: _pooled(*pair, self._everywhere) for key, pair in sums.items()}

    def at(self, mean: float) -> float:
        """The standard deviation that is expected of a case with this logarithm."""
        return self._by_decade.get(_decade(mean), self._everywhere)

    def of(self, known: Duration) -> float:
        """The same of one that was measured: its own, as far as it tells something."""
        return _pooled(*_deviation(known), self.at(known.mean))


@dataclass(frozen=True, slots=True)
class _Found:
    """The logarithm that is expected, and how far the true one may be from it."""

    mu: float
    sigma: float


class _Elsewhere:
    """Another history of the suite, and how it compares: `ratio` is the logarithm of ours to its own."""

    def __init__(self, known: Known, own: Known) -> None:
        self.known = known
        shifts = [own[case_id].mean - found.mean for case_id, found in known.items() if case_id in own]
        weight = len(shifts) + _RATIO_WEIGHT
        self.ratio = sum(shifts) / weight
        squares = sum((shift - self.ratio) ** 2 for shift in shifts)
        self._variance = (squares + _RATIO_WEIGHT * _RATIO) / weight * (1 + 1 / weight)

    def scaled(self, case_id: str, noise: _Noise) -> _Found | None:
        """What it tells of a case; None where it knows nothing."""
        found = self.known.get(case_id)
        if found is None:
            return None
        return _Found(found.mean + self.ratio, math.sqrt(self._variance + noise.of(found) ** 2 / found.executions))


@dataclass(slots=True)
class _Level:
    """Cases that have something in common. `parts`: of how many files, functions or single cases they are."""

    count: int = 0
    first: float = 0.0
    second: float = 0.0
    parts: int = 0


class _Kin:
    """What cases are like that have something in common."""

    def __init__(self, means: Mapping[str, float]) -> None:
        self._levels: dict[str, _Level] = {}
        for case_id, mean in means.items():
            new = True
            for name in kin(case_id):
                level = self._levels.get(name)
                if level is None:
                    level = self._levels[name] = _Level()
                    level.parts, new = 1, True
                else:
                    level.parts, new = level.parts + new, False
                level.count += 1
                level.first += mean
                level.second += mean * mean

    def closest(self, case_id: str) -> str:
        """The closest thing that it has in common with any."""
        return next((name for name in kin(case_id) if name in self._levels), SUITE)

    def expect(self, case_id: str) -> LogNormal:
        """From the widest to the closest: each level moves what the one before has said, the more the more parts it has.

        A thousand cases of two files say little of a third: parts are counted, not cases.
        """
        whole = self._levels.get(SUITE)
        if whole is None:
            return UNKNOWN
        mu, spread, parts = whole.first / whole.count, _SPREAD, 0
        for name in reversed(kin(case_id)):
            level = self._levels.get(name)
            if level is None:
                continue
            parts, own = level.parts, level.first / level.count
            within = max(level.second / level.count - own * own, 0.0)
            beside = (own - mu) ** 2 * _MEAN_WEIGHT / (parts + _MEAN_WEIGHT)
            spread = (parts * (within + beside) + _SPREAD_WEIGHT * spread) / (parts + _SPREAD_WEIGHT)
            mu = (parts * own + _MEAN_WEIGHT * mu) / (parts + _MEAN_WEIGHT)
        return LogNormal(mu, math.sqrt(spread * (1 + 1 / (parts + _MEAN_WEIGHT))))


def _pooled(deviations: float, count: float, prior: float) -> float:
    return max((deviations + _NOISE_WEIGHT * prior) / (count + _NOISE_WEIGHT), _LEAST_NOISE)


def _deviation(known: Duration) -> tuple[float, float]:
    """The standard deviation between its executions times what it weighs, and that; both zero where there was only one."""
    free = known.executions - 1
    if free < _ONE:
        return 0.0, 0.0
    # That of few executions is too small on average, of two by a fifth.
    return math.sqrt(max(known.variance, 0.0) * known.executions * free) * (1 + 1 / (4 * free)), free


def _decade(mean: float) -> int:
    return math.floor(mean / math.log(10))
