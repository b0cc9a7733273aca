"""How true the duration model is, on recorded durations of suites that others wrote.

    python -m benchmarks.durations [--runs N]

Each suite is recorded once, some runs of it, into the cache. "Seen": the model has learnt the runs before, and says of each
case of the next run within what it lies; 80 % of them should. "Unseen": a tenth of the cases, or of the files, is hidden
from it, and it says what they take; beside it the error of the plain mean of all cases that it knows, as a factor (1 is
no error): the geometric mean of how many times too long or too short the middle of the interval is. "Whole": the seconds
of the run in all, within what they were said to lie, and by how much the middle was wrong.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import geometric_mean

from benchmarks.durations.recordings import Recording, recordings
from benchmarks.environments import NotAvailable
from benchmarks.measuring import machine, verdict
from crossfleet.coordinator.core.duration_model import DurationModel
from crossfleet.coordinator.core.durations import Duration, observe
from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE, LogNormal, total
from crossfleet.coordinator.core.overheads import common

LEAST, MOST = 0.7, 0.9
"""How many true values should lie within: eight of ten, and no further from that."""
GOAL_UNSEEN = 0.8
_HIDDEN = 0.1
_SEEDS = range(5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each suite and question; answers 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durations", description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=6, help="runs of each suite; default 6")
    options = parser.parse_args(arguments)
    print(f"durations: {machine()}; {options.runs} runs of each suite, two slots")
    try:
        found = recordings(options.runs)
    except NotAvailable as missing:
        print(f"not measured: {missing}")
        return 3
    good = True
    errors = []
    for one in found:
        print(f"\n{one.name}: {len(one.runs[0])} cases, {sum(one.runs[0].values()):.1f} s")
        inside = _seen(one)
        good &= verdict("true values within the interval, mean", inside, LEAST, at_least=True)
        good &= verdict("true values within the interval, mean", inside, MOST)
        errors += [_unseen(one, what, hide) for what, hide in (("cases", _some_cases), ("files", _some_files))]
        _whole(one)
    print()
    good &= verdict(
        "unseen: our error to the plain mean's, in logarithms, geometric mean", geometric_mean(errors), GOAL_UNSEEN
    )
    good &= verdict("... the worst", max(errors), 1.0)
    return 0 if good else 1


def _seen(one: Recording) -> float:
    covered = []
    for count in range(1, len(one.runs)):
        model = DurationModel(learnt(one.runs[:count]))
        truth = {case_id: seconds for case_id, seconds in one.runs[count].items() if model.knows(case_id)}
        inside = coverage((model.expect(case_id), seconds) for case_id, seconds in truth.items())
        wide = math.exp(_mean(model.expect(case_id).sigma for case_id in truth))
        text = f"seen {count} time{'s' * (count > 1)}: {inside:.0%} within the interval, which is x/ {wide:.2f} wide (one sigma)"
        print(text)
        covered.append(inside)
    return _mean(covered)


Hide = Callable[[Iterable[str], random.Random], set[str]]


def _some_cases(ids: Iterable[str], chance: random.Random) -> set[str]:
    return {case_id for case_id in ids if chance.random() < _HIDDEN}


def _some_files(ids: Iterable[str], chance: random.Random) -> set[str]:
    files = sorted({case_id.partition("::")[0] for case_id in ids})
    hidden = set(chance.sample(files, max(1, round(len(files) * _HIDDEN))))
    return {case_id for case_id in ids if case_id.partition("::")[0] in hidden}


def _unseen(one: Recording, what: str, hide: Hide) -> float:
    ours, plain, inside, width = [], [], [], []
    for seed in _SEEDS:
        hidden = hide(sorted(one.runs[-1]), random.Random(seed))
        known = {case_id: found for case_id, found in learnt(one.runs[:-1]).items() if case_id not in hidden}
        model = DurationModel(known)
        mean = _mean(math.exp(found.mean) for found in known.values())
        expected = {case_id: model.expect(case_id) for case_id in hidden}
        ours += [_off(expected[case_id].median, one.runs[-1][case_id]) for case_id in hidden]
        plain += [_off(mean, one.runs[-1][case_id]) for case_id in hidden]
        inside.append(coverage((expected[case_id], one.runs[-1][case_id]) for case_id in hidden))
        width.append(_mean(found.sigma for found in expected.values()))
    own, other = math.exp(_mean(ours)), math.exp(_mean(plain))
    covered = _mean(inside)
    print(
        f"unseen {what}: off by x/ {own:.2f}, the plain mean by x/ {other:.2f}; {covered:.0%} within the interval, "
        f"which is x/ {math.exp(_mean(width)):.2f} wide"
    )
    return math.log(own) / math.log(other)


def _whole(one: Recording) -> None:
    for count in range(1, len(one.runs)):
        model, run = DurationModel(learnt(one.runs[:count])), one.runs[count]
        before = [sum(earlier.values()) for earlier in one.runs[:count]]
        expected = total((model.expect(case_id) for case_id in run), common=common(before))
        true = sum(run.values())
        low, middle, high = (expected.quantile(part) for part in (LOW, MIDDLE, HIGH))
        word = "within" if low <= true <= high else "OUTSIDE"
        print(f"whole run {count + 1}: {true:.2f} s, {word} {low:.2f} to {high:.2f} s; {true / middle - 1:+.0%}")


def learnt(runs: Iterable[Mapping[str, float]]) -> dict[str, Duration]:
    """What the model knows after these runs."""
    known: dict[str, Duration] = {}
    for run in runs:
        for case_id, seconds in run.items():
            known[case_id] = observe(known.get(case_id), seconds)
    return known


def coverage(pairs: Iterable[tuple[LogNormal, float]]) -> float:
    """How many of the true values lie within their interval."""
    inside = [one.quantile(LOW) <= true <= one.quantile(HIGH) for one, true in pairs]
    return sum(inside) / len(inside)


def _off(guess: float, true: float) -> float:
    return abs(math.log(guess / true))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


if __name__ == "__main__":
    sys.exit(main())
