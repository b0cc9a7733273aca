"""Traces: what is wrong with one is named by line and field, and what is generated can be read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from clients.python.tests.simulation.planning import back, group, lost, play, simulation, trace, worker
from crossfleet.simulation.core.curve import Curve
from crossfleet.simulation.core.measures import Spread
from crossfleet.simulation.generating.generator import Wish, generate
from crossfleet.simulation.generating.loads import LOADS
from crossfleet.simulation.trace.reading import TraceError, happenings, head, seconds_of
from crossfleet.simulation.trace.rows import GroupRow, LostRow, WorkerRow, encode


def read(text: bytes):
    file = io.BytesIO(text)
    head(file)
    file.seek(0)
    return [*happenings(file)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([worker("w", 0)], "line 2: slots: "),
        ([worker("w", slot=1)], "line 2: .*unknown field `slot`: did you mean `slots`"),
        ([worker("w", colour=1)], "line 2: .*unknown field `colour`; a worker has at, worker_id"),
        ([worker("w"), worker("w")], "line 3: worker_id: 'w' has joined already"),
        ([worker("w"), lost("v", 1)], "line 3: worker_id: no worker 'v'"),
        ([worker("w"), back("w", 1)], "line 3: worker_id: 'w' is not lost"),
        ([worker("w"), lost("w", 1), lost("w", 2)], "line 4: worker_id: 'w' is lost already"),
        ([group("g", [1], at=5), group("h", [1], at=4)], "line 3: at: 4 comes after 5"),
        ([group("g", [])], "line 2: cases: 0 cases"),
        ([group("g", [1, "2"])], r"line 2: cases\[1\]: "),
        ([group("g", [[1, 0]])], r"line 2: cases\[0\]\[1\]: "),
        ([group("g", [[1, 1_000_000], 1])], "line 2: cases: 1000001 cases"),
        ([group("g", [1]), group("g", [1])], "line 3: group_id: 'g' was submitted already"),
        ([group("g", [1], request={"slots_min": 4, "slots_max": 2})], "line 2: request.slots_max: 2 is less than"),
        ([group("g", [1], selector="worker.labels.zone = 1")], "line 2: selector: "),
        ([group("g", [1], priority=5000)], "line 2: priority: "),
        ([group("g", [1], deadline=0)], "line 2: deadline: "),
        ([group("g", [1], priority_class="urgnt")], "line 2: priority_class: 'urgnt' is not in priority_classes"),
        ([worker("w", runners=["simulation-fence"])], "line 2: 'simulation-fence' is a name of the simulator"),
        ([{"type": "trace"}], "line 2: type: `trace` is the first line alone"),
        ([{"type": "wroker", "at": 0}], "line 2: type: .*it is one of trace, worker, group"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(rows, said):
    with pytest.raises(TraceError, match=said):
        read(trace(*rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "line 1: the trace is empty"),
        (b'\n{"type": "worker", "at": 0, "worker_id": "w", "slots": 1}\n', "line 2: a trace begins with"),
        (b'{"type": "trace"', "line 1: this is no JSON object"),
        (b'{"type": "trace", "version": 2}', "line 1: version: "),
        (b"\xff\xfe", "line 1: this is no JSON object"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(text, said):
    with pytest.raises(TraceError, match=said):
        read(text)


def test_what_a_priority_class_says_twice_or_in_vain_is_refused():
    with pytest.raises(TraceError, match="line 2: priority: the class 'a' has its own"):
        read(trace(group("g", [1], priority=3, priority_class="a"), priority_classes={"a": {"priority": 2}}))
    with pytest.raises(TraceError, match=r"line 1: priority_classes.a.grace_seconds: only with preemptible"):
        read(trace(priority_classes={"a": {"grace_seconds": 3}}))


def test_deadlines_and_classes_change_nothing_else_of_a_generated_trace():
    plain, other = Wish("day", 4, 0.2), Wish("day", 4, 0.2, deadlines=0.5, classes=True)
    rows = [[one for one in generate(wish) if isinstance(one, GroupRow)] for wish in (plain, other)]
    assert [(one.at, one.cases) for one in rows[0]] == [(one.at, one.cases) for one in rows[1]]
    assert {one.priority_class for one in rows[1]} <= {"urgent", "interactive", "batch"}
    due = [one.deadline for one in rows[1] if one.deadline is not None]
    assert 0.2 * len(rows[1]) < len(due) < 0.8 * len(rows[1])
    assert not any(one.deadline or one.priority_class for one in rows[0])


def test_equal_cases_may_be_written_as_seconds_and_how_many():
    (row,) = read(trace(group("g", [0.5, [2, 3]])))
    assert [*seconds_of(row)] == [0.5, 2, 2, 2]


@pytest.mark.parametrize("kind", LOADS)
def test_a_generated_trace_is_always_the_same_offers_what_was_asked_for_and_can_be_played(kind):
    wish = Wish(kind, workers=8, hours=2, projects=3, load=0.5, losses=6, seed=3)
    lines = [encode(row) for row in generate(wish)]
    assert lines == [encode(row) for row in generate(wish)]
    assert lines != [encode(row) for row in generate(Wish(kind, workers=8, hours=2, projects=3, load=0.5, seed=4))]
    text = "\n".join(lines).encode()
    rows = read(text)
    assert any(isinstance(row, LostRow) for row in rows)
    work = sum(sum(seconds_of(row)) for row in rows if isinstance(row, GroupRow))
    able = sum(row.slots * row.speed for row in rows if isinstance(row, WorkerRow)) * 7200
    assert 0.2 <= work / able <= 1.2, "of few groups with heavy tails the mean is far from exact"
    played = simulation(text)
    while (due := played.due()) is not None:
        played.advance(due)
    assert played.results().stuck == sum(isinstance(row, GroupRow) for row in rows)


def test_a_curve_keeps_its_integral_in_bounded_memory():
    curve, begin = Curve(), 0.0
    for at in range(5000):
        curve.add(begin, begin + 1.7, at % 7)
        begin += 1.7
    means = curve.means()
    assert len(means) <= 480
    assert curve.integral() == pytest.approx(1.7 * sum(at % 7 for at in range(5000)))
    assert all(2 < one < 4 for one in means)


def test_percentiles_are_values_that_occur():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(3, 2.0, 2.0, 3.0, 3.0, 3.0)
    spread = Spread.of([float(one) for one in range(1, 101)])
    assert (spread.p50, spread.p90, spread.p99, spread.most) == (50, 90, 99, 100)
    assert Spread.of([]).count == 0


def test_the_example_in_the_documentation_is_a_trace_that_can_be_played():
    page = Path(__file__).parents[4].joinpath("docs", "simulate.md").read_text()
    text = page.partition("```json\n")[2].partition("```")[0].encode()
    played = simulation(text)
    play(played)
    assert played.results().measures.finished == 2
