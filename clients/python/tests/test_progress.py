"""What is told while a run goes on, and what its end means to a shell."""

from __future__ import annotations

import io

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1.event_service_pb2 import Event
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli import exits
from crossfleet.cli.running.conclusion import status_of
from crossfleet.cli.running.progress import Progress
from crossfleet.cli.running.view import LineView, duration


@pytest.mark.parametrize(
    ("verdict", "total", "endings", "interrupted", "status"),
    [
        (run_pb2.RUN_VERDICT_PASSED, 3, ["UNSPECIFIED"], False, exits.PASSED),
        (run_pb2.RUN_VERDICT_PASSED, 3, ["UNSPECIFIED", "NO_CASES"], False, exits.PASSED),
        (run_pb2.RUN_VERDICT_FAILED, 3, ["UNSPECIFIED"], False, exits.FAILED),
        (run_pb2.RUN_VERDICT_INFRASTRUCTURE, 3, ["UNSPECIFIED"], False, exits.FLEET),
        (run_pb2.RUN_VERDICT_CANCELLED, 3, ["UNSPECIFIED"], True, exits.INTERRUPTED),
        (run_pb2.RUN_VERDICT_CANCELLED, 0, ["UNSPECIFIED"], False, exits.FAILED),
        (run_pb2.RUN_VERDICT_PASSED, 0, ["NO_CASES"], False, exits.NO_TESTS),
        (run_pb2.RUN_VERDICT_PASSED, 2, ["NO_CASES"], False, exits.NO_TESTS),
        (run_pb2.RUN_VERDICT_FAILED, 0, ["NO_CASES", "USAGE"], False, exits.USAGE),
        (run_pb2.RUN_VERDICT_FAILED, 3, ["UNSPECIFIED", "USAGE"], False, exits.FAILED),
        (run_pb2.RUN_VERDICT_FAILED, 0, ["RUNNER_ENDED"], False, exits.FAILED),
        (run_pb2.RUN_VERDICT_FAILED, 1, ["COLLECTION_ERRORS"], False, exits.FAILED),
        (run_pb2.RUN_VERDICT_INFRASTRUCTURE, 0, ["UNSPECIFIED"], False, exits.FLEET),
    ],
)
def test_the_exit_status_follows_from_the_run(
    verdict: int, total: int, endings: list[str], interrupted: bool, status: int
) -> None:
    run = run_pb2.Run(verdict=verdict, counts=result_pb2.Counts(total=total))  # type: ignore[arg-type]
    for number, ending in enumerate(endings):
        run.targets.add(name=f"t{number}", ending=result_pb2.SuiteEnding.Value(f"SUITE_ENDING_{ending}"))
    assert status_of(run, interrupted=interrupted) == status


def event(second: int, **fact: object) -> Event:
    return Event(at=Timestamp(seconds=1000 + second), **fact)  # type: ignore[arg-type]


def test_progress_knows_rate_time_left_and_what_runs_longest() -> None:
    progress = Progress(["t"])
    attempt = {"attempt_id": 7, "worker_id": "w", "slot": 1, "cases": 8}
    case = {"case_id": "a", "outcome": result_pb2.OUTCOME_FAILED}
    progress.take(event(0, target_waiting={"target": "t", "reason": "busy"}))
    assert progress.targets["t"].waiting == "busy"
    progress.take(event(0, allocation_opened={"allocation_id": "a", "target": "t"}))
    progress.take(event(1, target_waiting={"target": "t", "reason": "it wants more"}))
    progress.take(event(1, cases_collected={"target": "t", "cases": 8}))
    progress.take(event(2, tasks_assigned={"target": "t", "attempts": [attempt]}))
    ended = progress.take(event(4, cases_finished={"target": "t", "cases": [case, {"case_id": "b"}]}))
    target = progress.targets["t"]
    assert ([each.case_id for each in ended], target.failed, target.waiting) == (["a", "b"], 1, "")
    assert (target.rate(1004.0), target.seconds_left(1004.0)) == (1.0, 6.0)
    lasting = {"target": "t", "case_id": "c", "slot": 1, "attempt_id": 7, "seconds": 2.5}
    progress.take(event(4, cases_executing={"worker_id": "w", "cases": [lasting]}))
    progress.take(event(4, cases_executing={"worker_id": "v", "cases": [{**lasting, "case_id": "d", "seconds": 1}]}))
    case_c = progress.longest()
    assert case_c is not None
    assert (case_c.case_id, case_c.worker_id, case_c.slot, case_c.since) == ("c", "w", 1, 1001.5)
    progress.take(event(5, cases_finished={"target": "t", "cases": [{"case_id": "d"}]}))
    assert progress.longest() == case_c
    progress.take(event(5, attempt_ended={"target": "t", "attempt": {"attempt_id": 7, "worker_id": "w", "cause": 5}}))
    assert (progress.longest(), progress.notes) == (None, ["attempt 7 on w: host lost."])


def test_progress_tells_of_a_case_that_is_executed_a_second_time() -> None:
    progress = Progress(["t"])
    copy = {"target": "t", "case_id": "c", "running_seconds": 41.6, "attempt": {"attempt_id": 9, "worker_id": "v"}}
    progress.take(event(0, case_copied=copy))
    assert progress.notes == ["c has lasted 42 s, much longer than expected: executed a second time, on v"]


def test_plain_lines_come_every_few_seconds_at_most_and_at_the_end() -> None:
    now = [1000.0]
    stream = io.StringIO()
    view, progress = LineView(stream, lambda: now[0]), Progress(["t"])
    progress.take(event(0, cases_collected={"target": "t", "cases": 900}))
    for second in range(9):
        now[0] = 1000.0 + second
        progress.take(event(second, cases_finished={"target": "t", "cases": [{"case_id": "c"}] * 10}))
        view.update(progress)
    assert len(stream.getvalue().splitlines()) == 2
    progress.take(event(9, target_finished={"target": {"name": "t", "counts": {"total": 900}}}))
    view.update(progress)
    view.update(progress)
    assert stream.getvalue().splitlines()[-1] == "t: 900/900, done"
    assert len(stream.getvalue().splitlines()) == 3


def test_a_case_that_lasts_is_named_every_half_minute_and_what_would_limit_it_after_a_minute() -> None:
    now = [1000.0]
    stream = io.StringIO()
    view, progress = LineView(stream, lambda: now[0]), Progress(["t"])
    progress.take(event(0, cases_executing={"worker_id": "w", "cases": [{"target": "t", "case_id": "c", "slot": 1}]}))
    for second in range(70):
        now[0] = 1000.0 + second
        view.update(progress)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["longest: c 6.0 s on w/1", "longest: c 36 s on w/1"]
    assert lines[2].endswith("on w/1; nothing limits it (--case-timeout would)")
    assert len(lines) == 3


def test_spans_read_well() -> None:
    assert [duration(each) for each in (-1, 0.44, 9.96, 59.4, 61, 3700)] == [
        "0.0 s",
        "0.4 s",
        "10.0 s",
        "59 s",
        "1 m 01 s",
        "1 h 01 m",
    ]
