"""Cuts a suite into shards that every machine computes alike, without talking.

Only case ids, their setup groups and the durations that were given decide, in whole microseconds and in the order of the
ids: neither the order of a collection nor the rounding of an interpreter changes a cut. Setup groups are put on the
shards longest first, as in Graham, "Bounds on Multiprocessing Timing Anomalies" (SIAM Journal on Applied Mathematics,
1969); one that would make a shard too long is split, into its classes first, then into runs of neighbours.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from crossfleet.coordinator.core.durations import LONGEST_SECONDS, UNKNOWN_SECONDS

SEED = 1
"""The hash seed of every shard: ids that follow the order of a set must be the same on all machines."""

LEAST_SECONDS = 1e-4
"""What a case weighs at least: many that take no time cost something."""

_UNKNOWN_MICROS = int(UNKNOWN_SECONDS * 1e6)
_LEAST_MICROS = int(LEAST_SECONDS * 1e6)
# The part of a fair share by which a shard may be longer before a setup group is split.
_SLACK = 50
_DIGITS = 32


class Piece(NamedTuple):
    """What is cut: an id, and its setup groups, widest first. Pieces of one `bound` that is not empty are never parted."""

    case_id: str
    groups: tuple[str, ...] = ()
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """The shard of each case, from 0, by id; `digest` names the collection in its first half, the cut in its second."""

    shard_of: Mapping[str, int]
    digest: str


class _Bundle(NamedTuple):
    """Cases that are better kept together, by id; `depth` of their setup groups are the same. `whole`: never parted."""

    micros: int
    cases: list[tuple[Piece, int]]
    depth: int
    whole: bool = False


def cut(pieces: Iterable[Piece], seconds: Mapping[str, float], count: int) -> Cut:
    """Put each case on one of `count` shards. `seconds` may know any cases, also foreign ones, or none."""
    ordered = sorted(pieces, key=lambda piece: piece.case_id)
    weights = _weights(ordered, seconds)
    cases = list(zip(ordered, weights, strict=True))
    together, alone = _bound(cases)
    least = lower_bound([bundle.micros for bundle in (*together, *_singles(alone))], count)
    limit = least + least // _SLACK
    shard_of, longest = _share([*together, *_by_file(alone)], count, limit)
    if longest > limit:
        # Few long cases: what would be saved in fixtures is lost in balance.
        by_case, longest_by_case = _share([*together, *_singles(alone)], count, limit)
        shard_of = by_case if longest_by_case < longest else shard_of
    ids = [piece.case_id for piece in ordered]
    digest = _digits(ids) + _digits([str(count), *(f"{shard_of[case_id]} {case_id}" for case_id in ids)])
    return Cut(shard_of, digest)


def lower_bound(weights: Sequence[int], count: int) -> int:
    """No cut into `count` shards makes its longest shard shorter than this."""
    longest = heapq.nlargest(count + 1, weights)
    # One more case than shards: two of them share one.
    pair = longest[count - 1] + longest[count] if len(longest) > count else 0
    return max(-(-sum(weights) // count), pair, *longest[:1], 0)


def _weights(ordered: Sequence[Piece], seconds: Mapping[str, float]) -> list[int]:
    """Microseconds of each case. Unknown ones borrow their file's mean, shrunk towards the suite's by one case."""
    known = [_micros(seconds.get(piece.case_id)) for piece in ordered]
    measured = [micros for micros in known if micros]
    suite = sum(measured) // len(measured) if measured else _UNKNOWN_MICROS
    sums: dict[str, tuple[int, int]] = {}
    for piece, micros in zip(ordered, known, strict=True):
        if micros:
            total, number = sums.get(_file(piece), (0, 0))
            sums[_file(piece)] = (total + micros, number + 1)
    weights = []
    for piece, micros in zip(ordered, known, strict=True):
        total, number = sums.get(_file(piece), (0, 0))
        weights.append(micros or (total + suite) // (number + 1))
    return weights


def _micros(seconds: float | None) -> int:
    """0: nothing that a clock can have measured."""
    if seconds is None or not 0 < seconds <= LONGEST_SECONDS:
        return 0
    return max(round(seconds * 1e6), _LEAST_MICROS)


def _file(piece: Piece) -> str:
    return piece.groups[0] if piece.groups else ""


def _bundle(cases: list[tuple[Piece, int]], depth: int) -> _Bundle:
    return _Bundle(sum(micros for _, micros in cases), cases, depth)


def _singles(cases: Iterable[tuple[Piece, int]]) -> list[_Bundle]:
    return [_Bundle(case[1], [case], len(case[0].groups)) for case in cases]


def _bound(cases: Iterable[tuple[Piece, int]]) -> tuple[list[_Bundle], list[tuple[Piece, int]]]:
    """The bundles that are never parted, and the cases that belong to none."""
    bundles: dict[str, list[tuple[Piece, int]]] = {}
    alone = []
    for case in cases:
        if case[0].bound:
            bundles.setdefault(case[0].bound, []).append(case)
        else:
            alone.append(case)
    return [_bundle(held, 0)._replace(whole=True) for held in bundles.values()], alone


def _by_file(cases: Iterable[tuple[Piece, int]]) -> list[_Bundle]:
    """One bundle a file; what belongs to none shares nothing."""
    files: dict[str, list[tuple[Piece, int]]] = {}
    loose = []
    for case in cases:
        if case[0].groups:
            files.setdefault(_file(case[0]), []).append(case)
        else:
            loose.append(case)
    return [*(_bundle(held, 1) for held in files.values()), *_singles(loose)]


def _parted(bundle: _Bundle) -> list[_Bundle]:
    """The bundle by its next setup groups; empty where they are all the same."""
    deepest = max((len(piece.groups) for piece, _ in bundle.cases), default=0)
    for depth in range(bundle.depth + 1, deepest + 1):
        parts: dict[tuple[str, ...], list[tuple[Piece, int]]] = {}
        for case in bundle.cases:
            parts.setdefault(case[0].groups[:depth], []).append(case)
        if len(parts) > 1:
            return [_bundle(cases, depth) for cases in parts.values()]
    return []


def _divided(bundle: _Bundle, room: int) -> list[_Bundle]:
    """The bundle in two: the first of its cases that fit into `room`, at least one, and the rest."""
    taken, got = 1, bundle.cases[0][1]
    while taken < len(bundle.cases) - 1 and got + bundle.cases[taken][1] <= room:
        got += bundle.cases[taken][1]
        taken += 1
    return [_bundle(bundle.cases[:taken], bundle.depth), _bundle(bundle.cases[taken:], bundle.depth)]


def _share(bundles: Iterable[_Bundle], count: int, limit: int) -> tuple[dict[str, int], int]:
    """The shard of each case, and the microseconds of the longest. What cannot be parted is placed, whatever the limit."""
    queue = [(-bundle.micros, bundle.cases[0][0].case_id, bundle) for bundle in bundles if bundle.cases]
    heapq.heapify(queue)
    loads = [(0, shard) for shard in range(count)]
    shard_of: dict[str, int] = {}
    while queue:
        _, _, bundle = heapq.heappop(queue)
        load, shard = loads[0]
        if bundle.whole or load + bundle.micros <= limit or len(bundle.cases) == 1:
            shard_of.update((piece.case_id, shard) for piece, _ in bundle.cases)
            heapq.heapreplace(loads, (load + bundle.micros, shard))
            continue
        for part in _parted(bundle) or _divided(bundle, limit - load):
            heapq.heappush(queue, (-part.micros, part.cases[0][0].case_id, part))
    return shard_of, max(loads)[0]


def _digits(lines: Iterable[str]) -> str:
    return sha256("\0".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
