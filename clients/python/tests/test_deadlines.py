"""`--deadline`: how it is written, and what is said of it."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.python.tests.sample_run import case, finished
from clients.python.tests.scripted_fleet import Script
from clients.python.tests.test_commands import fleet_and_shell
from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.deadlines import kept, latest, prospect
from crossfleet.cli.reporting.html.contents import contents
from crossfleet.cli.reporting.junit import write
from crossfleet.cli.reporting.markdown import summary
from crossfleet.cli.reporting.paint import plain
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.deadline import moment
from crossfleet.cli.running.options import parse

NOW = datetime(2026, 11, 26, 17, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("19:00", "2026-11-26T18:00Z"),
        ("18:00", "2026-11-27T17:00Z"),
        ("2026-11-27 18:00", "2026-11-27T17:00Z"),
        ("2027-07-01 18:00", "2027-07-01T16:00Z"),
        ("2026-11-27T18:00Z", "2026-11-27T18:00Z"),
        ("2026-11-27T18:00+05:30", "2026-11-27T12:30Z"),
        ("2026-11-27 18:00 America/New_York", "2026-11-27T23:00Z"),
        ("13:00 America/New_York", "2026-11-26T18:00Z"),
        ("12:00 America/New_York", "2026-11-27T17:00Z"),
    ],
)
def test_a_time_is_that_of_this_machine_s_clocks_unless_it_says_otherwise(text: str, meant: str) -> None:
    assert moment(text, NOW).at == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tomorrow", "is no deadline: give a time to go such as 90m or 2h"),
        ("2026-11-27", "is no deadline"),
        ("2026-11-27T18:00Z Europe/Berlin", "is no deadline"),
        ("25:00", "is no deadline"),
        ("2026-11-26 18:29", "has passed: it is 2026-11-26 17:30:00+00:00 now"),
        ("0001-01-01 00:00", "is no deadline"),
        ("2027-11-27 18:00", "is too far: name a time within the next 365 days"),
        ("9999-12-31T23:59-12:00", "is too far"),
        ("2026-11-27 18:00 Europe/Berlim", "there is no time zone 'Europe/Berlim' here"),
    ],
)
def test_what_is_no_time_to_come_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        moment(text, NOW)
    assert said in str(refused.value)


def test_a_span_counts_from_the_submission() -> None:
    options = parse(["--deadline", "2h", "--", "pytest"])
    assert options.deadline is not None
    assert (options.deadline.at, options.deadline.seconds, options.deadline.left(NOW)) == (None, 7200.0, 7200.0)
    assert moment("2026-11-26T18:00Z", NOW).left(NOW) == 1800.0


def test_a_span_of_more_than_a_year_is_refused_before_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--deadline", "400d", "--", "pytest"])
    assert "argument --deadline: '400d' is too far: name a time within the next 365 days" in capsys.readouterr().err


def between(low: float, middle: float, high: float) -> wire.Interval:
    return wire.Interval(low=low, middle=middle, high=high)


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (between(60, 600, 7100), "deadline in 2 h: likely to be met"),
        (between(60, 6000, 9000), "deadline in 2 h: may be missed"),
        (between(60, 8000, 9000), "deadline in 2 h: will probably be missed"),
        (None, "deadline in 2 h: whether it is met cannot be told"),
    ],
)
def test_an_estimate_says_whether_a_deadline_will_be_met(end: wire.Interval | None, text: str) -> None:
    assert prospect(7200.0, end) == text
    assert prospect(-90.0, end) == "its deadline has passed, 1.5 min ago"


def test_a_run_ends_with_its_last_target_and_nobody_knows_when_where_one_s_end_is_unknown() -> None:
    some = [
        wire.TargetExplanation(end_seconds=between(1, 9, 10)),
        wire.TargetExplanation(end_seconds=between(2, 3, 40)),
    ]
    assert latest(some) == between(2, 9, 40)
    assert latest([*some, wire.TargetExplanation()]) is None


def test_every_report_says_whether_the_deadline_was_met_and_its_verdict_stays(tmp_path: Path) -> None:
    results = finished(case("t.py::a", "passed"))
    run = results.run
    run.verdict = run_pb2.RUN_VERDICT_PASSED
    assert kept(run) == ""
    run.deadline.FromDatetime(run.finished_at.ToDatetime() + timedelta(seconds=90))
    assert kept(run).startswith("ended 1 m 30 s before its deadline, 20")
    run.deadline.FromDatetime(run.finished_at.ToDatetime() - timedelta(hours=3))
    parts = [part.text for part in report(results, plain)]
    assert parts[-2].startswith("missed its deadline, 20")
    assert parts[-2].endswith("+01:00, by 3 h 00 m") or parts[-2].endswith("+02:00, by 3 h 00 m")
    assert parts[-1].startswith("PASSED")
    assert "missed its deadline" in summary(results)
    assert contents(results)["run"]["deadline"].startswith("missed its deadline")
    write(results, tmp_path / "junit.xml")
    assert 'name="deadline" value="missed its deadline' in (tmp_path / "junit.xml").read_text()


async def test_run_warns_where_the_deadline_will_probably_be_missed(tmp_path: Path) -> None:
    late = wire.TargetExplanation(target="default", end_seconds=between(7000, 9000, 12000))
    script = Script({"t.py::a": result_pb2.OUTCOME_PASSED}, explained=[late])
    async with fleet_and_shell(tmp_path, script) as (fleet, shell):
        ended = await shell("run", "--deadline", "1h", "--", "true")
        calm = await shell("run", "--deadline", "3h", "--", "true")
        wrong = await shell("run", "--deadline", "2020-01-01 10:00", "--", "true")
        first, second = fleet.runs.by_request.values()
    assert ended.status == 0, ended
    assert (
        "deadline in 60 min: will probably be missed; it ends in about 2.5 h, likely between 1.9 and 3.3 h" in ended.err
    )
    assert "deadline" not in calm.err
    assert (wrong.status, "has passed" in wrong.err) == (2, True)
    assert (first.spec.policy.deadline_in.seconds, second.spec.policy.deadline_in.seconds) == (3_600, 10_800)
