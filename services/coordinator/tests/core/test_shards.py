from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.outcomes import Ending, Outcome, RunVerdict
from crossfleet.coordinator.core.shards import Cut, Piece, cut, lower_bound
from services.coordinator.tests.core.fleet import Fleet

SECONDS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.floats(0.0001, 100.0), st.sampled_from((0.0, -1.0, 1e300))
)
NAMES = st.text("abcü[]:", min_size=1, max_size=4)
PIECES = st.lists(
    st.builds(
        lambda file, classes, name: Piece("::".join((file, *classes, name)), (file, *classes) if file else ()),
        st.sampled_from(("", "a.py", "b.py", "sub/c.py")),
        st.lists(st.sampled_from(("TestA", "TestB")), max_size=2),
        NAMES,
    ),
    unique_by=lambda piece: piece.case_id,
    max_size=40,
)


def suite(files: int, cases: int) -> list[Piece]:
    return [Piece(f"t/test_{f}.py::test_{n}", (f"t/test_{f}.py",)) for f in range(files) for n in range(cases)]


def loads(found: Cut, seconds: dict[str, float], count: int) -> list[float]:
    totals = [0.0] * count
    for case_id, shard in found.shard_of.items():
        totals[shard] += seconds[case_id]
    return totals


@given(PIECES, st.dictionaries(NAMES, SECONDS), st.data(), st.integers(1, 12))
def test_every_case_is_on_exactly_one_shard_whatever_the_durations_say(pieces, foreign, data, count):
    known = {piece.case_id: data.draw(SECONDS) for piece in pieces if data.draw(st.booleans())}

    found = cut(pieces, foreign | known, count)

    assert set(found.shard_of) == {piece.case_id for piece in pieces}
    assert all(0 <= shard < count for shard in found.shard_of.values())


@given(PIECES, st.data(), st.integers(2, 7), st.randoms(use_true_random=False))
def test_a_machine_that_collected_in_another_order_comes_to_the_same_cut(pieces, data, count, shuffling):
    seconds = {piece.case_id: data.draw(SECONDS) for piece in pieces}
    other = list(pieces)
    shuffling.shuffle(other)
    reordered = dict(sorted(seconds.items(), reverse=True))

    assert cut(pieces, seconds, count) == cut(other, reordered, count)


@given(PIECES.filter(bool), st.integers(2, 5))
def test_the_digest_tells_another_collection_from_another_cut(pieces, count):
    whole = cut(pieces, {}, count).digest
    fewer = cut(pieces[1:], {}, count).digest
    other_count = cut(pieces, {}, count + 1).digest

    assert whole[:32] != fewer[:32]
    assert whole[:32] == other_count[:32]
    assert whole[32:] != other_count[32:]


@given(st.lists(st.integers(100, 10_000), min_size=1, max_size=8), st.integers(2, 3), st.data())
def test_the_longest_shard_is_at_most_a_third_over_the_best_that_there_is(weights, count, data):
    files = [data.draw(st.sampled_from(("a.py", "b.py"))) for _ in weights]
    pieces = [Piece(f"{file}::test_{n}", (file,)) for n, file in enumerate(files)]
    seconds = {piece.case_id: weight / 1e6 for piece, weight in zip(pieces, weights, strict=True)}
    best = min(
        max(sum(w for w, s in zip(weights, shards, strict=True) if s == shard) for shard in range(count))
        for shards in itertools.product(range(count), repeat=len(weights))
    )

    longest = max(loads(cut(pieces, seconds, count), seconds, count)) * 1e6

    assert longest <= best * 4 / 3 + 1
    assert lower_bound(weights, count) <= best


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_many_cases_are_shared_out_evenly_and_most_files_stay_whole(count):
    chance = random.Random(count)
    pieces = suite(files=200, cases=30)
    seconds = {piece.case_id: chance.lognormvariate(-3, 1.5) for piece in pieces}

    found = cut(pieces, seconds, count)

    fair = sum(seconds.values()) / count
    assert max(loads(found, seconds, count)) <= fair * 1.03
    where: dict[str, set[int]] = {}
    for piece in pieces:
        where.setdefault(piece.groups[0], set()).add(found.shard_of[piece.case_id])
    assert sum(len(shards) - 1 for shards in where.values()) <= 2 * count


def test_a_file_that_is_too_long_is_split_between_its_classes_first():
    groups = [(f"Test{letter}", n) for letter in "ABCD" for n in range(10)]
    pieces = [Piece(f"a.py::{name}::test_{n}", ("a.py", name)) for name, n in groups]

    found = cut(pieces, {}, 2)

    assert all(len({found.shard_of[f"a.py::{name}::test_{n}"] for n in range(10)}) == 1 for name, _ in groups)
    assert sorted(found.shard_of.values()) == [0] * 20 + [1] * 20


def test_without_durations_shards_get_equal_numbers_of_cases():
    found = cut(suite(files=7, cases=13), {}, 4)

    numbers = [list(found.shard_of.values()).count(shard) for shard in range(4)]
    assert sum(numbers) == 91
    assert max(numbers) - min(numbers) <= 2


def test_unknown_cases_weigh_what_their_file_does():
    pieces = [*suite(files=1, cases=10), Piece("t/test_slow.py::a", ("t/test_slow.py",))]
    pieces.append(Piece("t/test_slow.py::b", ("t/test_slow.py",)))
    seconds = {f"t/test_0.py::test_{n}": 1.0 for n in range(10)} | {"t/test_slow.py::a": 12.0, "gone": math.nan}

    found = cut(pieces, seconds, 3)

    assert found.shard_of["t/test_slow.py::a"] != found.shard_of["t/test_slow.py::b"]


@given(PIECES, st.integers(2, 6), st.data())
def test_cases_that_are_bound_together_are_on_one_shard(pieces, count, data):
    names = st.sampled_from(("", "", "db", "port"))
    pieces = [piece._replace(bound=data.draw(names)) for piece in pieces]
    seconds = {piece.case_id: data.draw(SECONDS) for piece in pieces}

    found = cut(pieces, seconds, count)

    for name in ("db", "port"):
        assert len({found.shard_of[piece.case_id] for piece in pieces if piece.bound == name}) <= 1


@pytest.mark.parametrize(
    ("grouping", "shards_of_a_file"), [(Grouping.NONE, 3), (Grouping.FILE, 1), (Grouping.MARK, 3), (Grouping.SUITE, 3)]
)
def test_a_shard_parts_no_group_that_a_run_keeps_together(grouping, shards_of_a_file):
    ids = [f"a.py::test_{n}" for n in range(9)]
    where: dict[str, int] = {}
    for index in (1, 2, 3):
        fleet = Fleet()
        fleet.submit(policy=c.PolicySpec(shard_index=index, shard_count=3, grouping=grouping))
        fleet.join()
        (allocation,) = fleet.place()
        cases = tuple(CollectedCase(one, ("a.py",), "db" if n % 4 == 0 else "") for n, one in enumerate(ids))
        fleet.do(c.RecordCollection("w1", allocation, "d", cases))
        where |= {case.case_id: index for case in fleet.state.groups["run/default"].cases}

    assert sorted(where) == ids
    assert len(set(where.values())) == shards_of_a_file
    if grouping is Grouping.MARK:
        assert len({where[one] for one in ids[::4]}) == 1


def sharded(index: int, count: int, ids, *, errors=(), skips=(), go_on=False, given=None) -> Fleet:
    fleet = Fleet()
    fleet.submit(policy=c.PolicySpec(shard_index=index, shard_count=count))
    fleet.join()
    (allocation,) = fleet.place()
    fleet.collect(allocation, ids, errors=errors, skips=skips, go_on=go_on, given=given or {})
    return fleet


IDS = tuple(f"tests/test_{f}.py::test_{n}" for f in "abc" for n in range(5))
SKIPS = tuple(c.CollectionError(f"tests/test_skip{n}.py", "no gpu", outcome=Outcome.SKIPPED) for n in range(4))


@given(st.integers(2, 20), st.dictionaries(st.sampled_from(IDS), SECONDS), st.permutations(IDS))
def test_the_shards_of_all_machines_make_the_whole_suite(count, given_seconds, order):
    broken = (c.CollectionError("tests/broken.py", "SyntaxError"),)
    ran: list[str] = []
    digests = set()
    for index in range(1, count + 1):
        fleet = sharded(index, count, order, errors=broken, skips=SKIPS, go_on=True, given=given_seconds)
        fleet.work()
        group = fleet.state.groups["run/default"]
        assert group.over
        common, _, shard = group.digest.partition("-")
        assert shard == str(index)
        digests.add(common)
        ran += [group.case_id(n) for n in range(len(group.outcomes))]

    assert sorted(ran) == sorted((*IDS, "tests/broken.py", *(skip.case_id for skip in SKIPS)))
    assert len(digests) == 1


def test_a_worker_that_collects_later_gets_only_cases_of_the_shard():
    fleet = Fleet()
    fleet.submit(policy=c.PolicySpec(shard_index=2, shard_count=3))
    fleet.join("w1", slots=1)
    fleet.join("w2", slots=1, session="s2")
    first, second = fleet.place()
    fleet.collect(first, IDS)
    fleet.collect(second, IDS[::-1])
    fleet.work()

    group = fleet.state.groups["run/default"]
    assert {case.case_id.partition("::")[0] for case in group.cases} == {"tests/test_b.py"}
    assert set(group.outcomes) == {Outcome.PASSED}
    assert not [event for event in fleet.of(e.AllocationReady) if event.message]


def test_marks_of_reruns_go_with_their_cases():
    marked = {"tests/test_a.py::test_1": 4, "tests/test_b.py::test_0": 2, "tests/test_c.py::test_4": 3}
    found: dict[str, int] = {}
    for index in (1, 2, 3):
        fleet = Fleet()
        fleet.submit(policy=c.PolicySpec(shard_index=index, shard_count=3))
        fleet.join()
        (allocation,) = fleet.place()
        fleet.collect(allocation, IDS, reruns=tuple((IDS.index(one), most) for one, most in marked.items()))
        group = fleet.state.groups["run/default"]
        found |= {group.case_id(case): most for case, most in group.marks.items()}

    assert found == marked


def test_a_shard_without_cases_passes_and_says_so():
    fleet = sharded(2, 2, IDS[:1], skips=SKIPS[:1])

    (finished,) = fleet.of(e.RunFinished)
    group = fleet.state.groups["run/default"]
    assert finished.verdict is RunVerdict.PASSED
    assert group.ending is Ending.UNSPECIFIED
    assert group.cause == "shard 2/2 is empty: the suite has 1 case"


def test_a_suite_without_cases_ends_as_one_on_every_shard():
    for index in (1, 2):
        fleet = sharded(index, 2, (), skips=SKIPS)
        assert fleet.state.groups["run/default"].ending is Ending.NO_CASES


def test_what_cannot_be_collected_ends_every_shard_and_shows_on_each():
    for index in (1, 2):
        fleet = sharded(index, 2, IDS, errors=(c.CollectionError("tests/broken.py", "SyntaxError"),))
        group = fleet.state.groups["run/default"]
        assert group.counts[Outcome.ERROR] == 1
        assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.FAILED
