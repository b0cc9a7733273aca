"""Which cases a run keeps together."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import dispatcher
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.grouping import Grouping, setup_keys
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.queue import CaseQueue
from crossfleet.coordinator.ledger import codec
from services.coordinator.tests.core.fleet import Fleet

FUNCTION = CollectedCase("a.py::test_f", ("a.py",))
METHOD = CollectedCase("a.py::A::test_m", ("a.py", "A"), "database")
INNER = CollectedCase("a.py::A::B::test_i", ("a.py", "A", "B"), "database")
OTHER = CollectedCase("b.py::test_o", ("b.py",), "database")
BARE = CollectedCase("only an id")
ALL = (FUNCTION, METHOD, INNER, OTHER, BARE)


def groups(grouping):
    """The sets of cases that must not be parted."""
    found = setup_keys(ALL, grouping)
    keys, bound = found.keys, found.bound
    return [{case.case_id for case, key in zip(ALL, keys, strict=True) if key == one} for one in sorted(bound)]


def test_each_grouping_keeps_together_what_xdist_keeps_together():
    a = {FUNCTION.case_id, METHOD.case_id, INNER.case_id}
    assert groups(Grouping.NONE) == []
    assert groups(Grouping.FILE) == [a, {OTHER.case_id}]
    assert groups(Grouping.SCOPE) == [{FUNCTION.case_id}, {METHOD.case_id}, {INNER.case_id}, {OTHER.case_id}]
    assert groups(Grouping.MARK) == [{METHOD.case_id, INNER.case_id, OTHER.case_id}]
    assert groups(Grouping.SUITE) == [{case.case_id for case in ALL}]


def test_cases_without_a_named_group_stay_with_their_file_as_by_default():
    found, default = setup_keys(ALL, Grouping.MARK), setup_keys(ALL, Grouping.NONE)

    assert [key for key in found.keys if key not in found.bound] == [default.keys[0], default.keys[4]]


def test_what_failed_last_goes_first_also_from_the_smallest_file():
    cases = [CollectedCase(f"large.py::{i}", ("large.py",)) for i in range(50)]
    cases += [CollectedCase(f"small.py::{i}", ("small.py",), first=i == 1) for i in range(3)]
    cases += [CollectedCase("loose"), CollectedCase("loose first", first=True)]
    shared = setup_keys(cases, Grouping.NONE)
    queue = CaseQueue(shared.keys, [1.0] * 53 + [100.0] * 2, shared.bound, shared.first)

    given: list[int] = []
    for _ in range(2):
        given += dispatcher.cut(queue, 1.0, 2.0, known=True, max_cases=1)
        queue.take(given[-1:])
    assert sorted(given) == [51, 54]


def test_a_group_that_stays_together_goes_first_as_a_whole():
    cases = [
        CollectedCase(f"{file}.py::{i}", (f"{file}.py",), first=(file, i) == ("b", 2))
        for file in "ab"
        for i in range(3)
    ]
    shared = setup_keys(cases, Grouping.FILE)
    queue = CaseQueue(shared.keys, [9.0] * 3 + [1.0] * 3, shared.bound, shared.first)

    assert dispatcher.cut(queue, 1.0, 6.0, known=True) == (3, 4, 5)


def test_collections_keep_their_named_groups_and_those_that_were_stored_without_are_read():
    assert codec.decode_cases(codec.encode_cases(ALL)) == ALL


def test_cases_are_stored_alike_whether_they_were_encoded_before_or_not():
    stored = codec.stored_cases(ALL)
    assert (stored, codec.encode_cases(stored)) == (ALL, codec.encode_cases(ALL))
    old = codec._pack(codec._encoder.encode([("a", ("f",)), ("b", ())]))
    assert codec.decode_cases(old) == (CollectedCase("a", ("f",)), CollectedCase("b"))


def test_a_restarted_coordinator_knows_what_a_run_keeps_together():
    fleet = Fleet()
    fleet.submit(policy=c.PolicySpec(grouping=Grouping.SCOPE))
    (submitted,) = fleet.of(e.RunSubmitted)

    ((_, found),) = codec.decode_events(codec.encode_events([(0, submitted)]))
    assert isinstance(submitted, e.RunSubmitted)
    assert isinstance(found, e.RunSubmitted)
    assert found.policy == submitted.policy
    assert found.policy.grouping is Grouping.SCOPE


@given(
    st.sampled_from(list(Grouping)), st.integers(1, 4), st.lists(st.integers(0, 5), min_size=1, max_size=40), st.data()
)
def test_a_group_is_never_on_two_slots_whatever_happens_to_its_slot(grouping, slots, files, data):
    fleet = Fleet()
    fleet.join("w1", slots)
    fleet.submit(policy=c.PolicySpec(grouping=grouping, max_attempts=100))
    (allocation,) = fleet.place()
    ids = [f"f{file}.py::C{index % 2}::test_{index}" for index, file in enumerate(files)]
    fleet.collect(allocation, ids, groups=lambda one: tuple(one.split("::")[:2]))
    shared = setup_keys(fleet.state.groups["run/default"].cases, grouping)
    keys, bound = shared.keys, shared.bound

    for _ in range(len(ids) * 3):
        for key in bound:
            holders = [one for one in fleet.live() if any(keys[index] == key for index in one.pending)]
            assert len(holders) <= 1, "a group is in one task at a time"
        if not fleet.live():
            break
        attempt = data.draw(st.sampled_from(fleet.live()))
        crashed = len(attempt.cases) > 1 and data.draw(st.booleans())
        done = attempt.cases[: len(attempt.cases) // 2] if crashed else attempt.cases
        fleet.finish(attempt, Cause.CRASHED if crashed else Cause.DONE, indices=done)
        fleet.do(c.WantTasks("w1", allocation, tuple(range(slots))))
    assert not fleet.live()
    order = [index for event in fleet.of(e.CasesFinished) for index in (case.case_index for case in event.cases)]
    for key in bound:
        of_group = [index for index in order if keys[index] == key]
        assert of_group == sorted(of_group), "in the order of collection"
