"""The dispatcher on simulated durations, fed as slots are: the next task is asked for when the last but one case starts."""

import heapq

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import dispatcher
from crossfleet.coordinator.core.durations import fill_unknown
from crossfleet.coordinator.core.pace import Pace
from crossfleet.coordinator.core.queue import CaseQueue

seconds = st.floats(0.001, 20.0)
cases = st.lists(st.tuples(seconds, st.integers(0, 5)), min_size=1, max_size=120)
slots = st.lists(st.sampled_from((0.25, 1.0, 1.0, 2.0, 4.0)), min_size=1, max_size=6)


def simulate(durations, keys, speeds, *, estimates=None, known=True, max_cases=0, bound=()):
    """Makespan, pieces by slot, and the longest time that one piece took, on slots of given true speeds."""
    queue = CaseQueue(keys, estimates or durations, bound)
    paces = [Pace() for _ in speeds]
    last = [-1 for _ in speeds]
    pieces, longest_piece = [], 0.0
    # (when it asks, slot, when it is free)
    asking = [(0.0, slot, 0.0) for slot in range(len(speeds))]
    makespan = 0.0
    while asking and queue.count:
        _, slot, free = heapq.heappop(asking)
        speed = [pace.speed for pace in paces]
        piece = dispatcher.cut(queue, speed[slot], sum(speed), known=known, max_cases=max_cases, after=last[slot])
        assert piece, "a cut of a queue that is not empty gives something"
        queue.take(piece)
        last[slot] = piece[-1]
        took = [durations[index] / speeds[slot] for index in piece]
        free += sum(took)
        asks = free - sum(took[-2:])
        paces[slot].note(sum(queue.estimates[index] for index in piece), sum(took), known=known)
        pieces.append((slot, piece))
        longest_piece = max(longest_piece, sum(took))
        makespan = max(makespan, free)
        heapq.heappush(asking, (asks, slot, free))
    return makespan, pieces, longest_piece


@given(cases, slots)
def test_every_case_is_in_exactly_one_task(cases, speeds):
    durations = [one for one, _ in cases]
    _, pieces, _ = simulate(durations, [f"file{key}" if key else "" for _, key in cases], speeds)

    assert sorted(index for _, piece in pieces for index in piece) == list(range(len(cases)))


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 5)), max_size=60), st.sets(st.integers(0, 60)))
def test_a_queue_is_what_it_would_be_had_its_cases_come_back_one_by_one(cases, exclusive):
    keys, bound, first = [f"d{key % 2}/file{key}" if key else "" for _, key in cases], {"d1/file1"}, {"d0/file2"}
    estimates = [
        sixty_fourths / 64 for sixty_fourths, _ in cases
    ]  # in whatever order these are added up, it is the same
    new, again = (CaseQueue(keys, estimates, bound, first, exclusive) for _ in range(2))
    again.clear()
    for index in range(len(cases)):
        again.put([index])
    assert (new.count, new.pending(), new.shareable) == (again.count, again.pending(), again.shareable)
    assert (new.seconds, new.longest_bound) == (again.seconds, again.longest_bound)
    while new.count and new.shareable:
        piece = dispatcher.cut(new, 1.0, 2.0, known=True)
        assert piece == dispatcher.cut(again, 1.0, 2.0, known=True)
        new.take(piece)
        again.take(piece)


@given(cases, slots)
def test_a_piece_keeps_the_order_of_collection_within_a_setup_group(cases, speeds):
    durations = [one for one, _ in cases]
    keys = [f"file{key}" for _, key in cases]
    _, pieces, _ = simulate(durations, keys, speeds)

    for _, piece in pieces:
        for key in set(keys):
            same = [index for index in piece if keys[index] == key]
            assert same == sorted(same)


@settings(max_examples=200)
@given(cases, slots, st.integers(1, 3))
def test_the_makespan_is_within_a_case_and_a_piece_of_the_bound(cases, speeds, folders):
    durations = [one for one, _ in cases]
    keys = [f"folder{key % folders}/file{key}" if key else "" for _, key in cases]
    makespan, _, longest_piece = simulate(durations, keys, speeds)
    slowest = min(speeds)
    longest = max(durations) / slowest
    bound = max(max(durations) / max(speeds), sum(durations) / sum(speeds))

    # A slot asks while its last two cases still run: that is the most that it commits itself ahead.
    assert makespan <= bound + 2 * longest + longest_piece + 1e-6


@given(cases, st.integers(1, 7))
def test_no_piece_is_larger_than_the_run_allows(cases, most):
    _, pieces, _ = simulate([one for one, _ in cases], [""] * len(cases), (1.0, 1.0), max_cases=most)

    assert max(len(piece) for _, piece in pieces) <= most


@given(cases, slots, st.booleans(), st.integers(0, 7))
def test_a_bound_group_is_one_task_in_the_order_of_collection(cases, speeds, known, most):
    keys = [f"file{key}" if key else "" for _, key in cases]
    bound = {"file1", "file2", "file3"}
    _, pieces, _ = simulate([one for one, _ in cases], keys, speeds, known=known, max_cases=most, bound=bound)

    for key in bound.intersection(keys):
        (piece,) = [piece for _, piece in pieces if any(keys[index] == key for index in piece)]
        assert [i for i in piece if keys[i] == key] == [i for i, one in enumerate(keys) if one == key]


@given(cases, st.sets(st.integers(0, 119)))
def test_what_is_left_of_a_bound_group_goes_out_whole_again(cases, done):
    keys = ["one"] * len(cases)
    queue = CaseQueue(keys, [one for one, _ in cases], {"one"})
    first = dispatcher.cut(queue, 1.0, 4.0, known=False)
    queue.take(first)
    left = [index for index in first if index not in done]
    queue.put(left)

    assert dispatcher.cut(queue, 0.25, 4.0, known=False) == tuple(left)


def test_many_small_cases_without_history_go_out_in_few_tasks_that_shrink():
    count = 9_000
    durations = [0.001] * count
    estimates, known = fill_unknown((), ["f"] * count)
    makespan, pieces, _ = simulate(durations, ["f"] * count, (1.0, 1.0), estimates=estimates, known=known)

    assert len(pieces) < 120
    assert len(pieces[0][1]) >= 500
    assert len(pieces[-1][1]) <= 60
    assert makespan <= 0.5 * 0.001 * count * 1.05


def test_a_few_long_cases_of_one_file_are_spread_when_their_durations_are_known():
    durations = [0.01] * 100 + [2.0] * 8
    keys = ["small"] * 100 + ["long"] * 8
    makespan, _, _ = simulate(durations, keys, (1.0, 1.0))

    assert makespan <= sum(durations) / 2 * 1.15


def test_the_longest_setup_group_goes_first_and_stays_whole_while_it_is_no_more_than_its_fair_part():
    keys = ["a"] * 3 + ["b"] * 3 + ["c"] * 3 + ["d"] * 3
    queue = CaseQueue(keys, [1.0] * 3 + [3.0] * 3 + [1.0] * 3 + [1.0] * 3)
    piece = dispatcher.cut(queue, 1.0, 2.0, known=True)

    assert piece == (3, 4, 5)


@given(st.lists(st.floats(1.0, 1.9), min_size=36, max_size=36), st.booleans())
def test_a_slot_does_not_come_back_to_a_folder_that_it_has_left(durations, known):
    folders = [f"folder{number % 3}" for number in range(36)]
    keys = [f"{folder}/file{number // 3}" for number, folder in enumerate(folders)]
    _, pieces, _ = simulate(durations, keys, (1.0, 1.0), known=known)

    for slot in range(2):
        order = [folders[index] for one, piece in pieces if one == slot for index in piece]
        entered = sum(1 for before, folder in zip([None, *order], order, strict=False) if before != folder)
        assert entered <= 4  # three, and one at the end, where what is left is split for balance


def test_a_much_longer_group_of_another_folder_does_not_wait():
    keys = ["a/one"] + ["a/two"] + ["b/one"]
    queue = CaseQueue(keys, [1.0, 1.0, 9.0])
    queue.take([0])

    assert dispatcher.cut(queue, 1.0, 1.0, known=True, after=0)[0] == 2


def test_a_setup_group_that_is_longer_than_its_fair_part_is_split():
    queue = CaseQueue(["a"] * 100, [1.0] * 100)
    piece = dispatcher.cut(queue, 1.0, 4.0, known=True)

    assert 1 <= len(piece) <= 25


def test_cases_that_the_worker_does_not_have_are_not_given_to_it():
    queue = CaseQueue(["a"] * 5 + ["b"] * 5, [1.0] * 10)
    allowed = {7, 9}
    piece = dispatcher.cut(queue, 1.0, 1.0, known=True, allowed=allowed)

    assert piece
    assert set(piece) <= allowed
    assert dispatcher.cut(queue, 1.0, 1.0, known=True, allowed=set()) == ()


def test_a_faster_slot_gets_a_larger_piece():
    def piece(speed):
        return dispatcher.cut(CaseQueue([""] * 1000, [0.01] * 1000), speed, 5.0, known=True)

    assert len(piece(4.0)) > 3 * len(piece(1.0))


def test_unlike_hosts_finish_together():
    durations = [0.05] * 2_000
    makespan, _, _ = simulate(durations, [f"f{i // 20}" for i in range(2_000)], (4.0, 1.0))

    assert makespan <= sum(durations) / 5 * 1.1


@given(st.lists(st.lists(st.integers(0, 29), max_size=30, unique=True), max_size=6))
def test_what_is_taken_and_put_back_leaves_the_queue_as_it_was(rounds):
    queue = CaseQueue([f"f{i % 3}" if i % 5 else "" for i in range(30)], [0.1 * (i + 1) for i in range(30)])
    for indices in rounds:
        queue.take(indices)
        assert queue.pending() == sorted(set(range(30)) - set(indices))
        queue.put(indices)

    assert queue.pending() == list(range(30))
    assert abs(queue.seconds - sum(queue.estimates)) < 1e-9
    assert queue.count == 30


def test_a_few_long_cases_among_many_short_ones_are_spread_although_nothing_is_known():
    # The short files go first and make the slots look a hundred times faster than guessed; the long file comes last.
    durations = [0.0005] * 100 + [float(units) for units in (6, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2)]
    keys = [f"short{index // 25}" for index in range(100)] + ["long"] * 11
    estimates, known = fill_unknown((), keys)

    makespan, _, _ = simulate(durations, keys, (1.0, 1.0), estimates=estimates, known=known)

    assert makespan <= 1.25 * sum(durations) / 2


@given(st.integers(2, 6), st.integers(2, 12), st.integers(2, 12), st.booleans())
def test_slots_go_on_with_the_group_that_they_began(count, groups, size, known):
    keys = [f"file{number // size}" for number in range(groups * size)]
    _, pieces, _ = simulate([0.01] * len(keys), keys, [1.0] * count, known=known)

    set_up = 0
    for slot in range(count):
        order = [keys[index] for one, piece in pieces if one == slot for index in piece]
        set_up += sum(1 for before, key in zip([None, *order], order, strict=False) if before != key)
    # Each group once, and once more for each time that a slot with nothing of its own left joins another one.
    assert set_up <= groups + count * 4


@given(cases, st.sets(st.integers(0, 119)))
def test_exclusive_cases_are_cut_by_themselves_and_none_is_lost(cases, chosen):
    durations = [one for one, _ in cases]
    exclusive = {index for index in chosen if index < len(cases)}
    queue = CaseQueue([f"file{key}" for _, key in cases], durations, exclusive=exclusive)
    order: list[int] = []
    while queue.shareable:
        piece = dispatcher.cut(queue, 1.0, 2.0, known=True)
        assert piece
        queue.take(piece)
        order.extend(piece)
    assert not dispatcher.cut(queue, 1.0, 2.0, known=True)
    assert not exclusive.intersection(order)
    alone = dispatcher.cut_exclusive(queue)

    assert alone == tuple(sorted(exclusive))
    queue.take(alone)
    assert queue.count == 0
    assert sorted([*order, *alone]) == list(range(len(cases)))
