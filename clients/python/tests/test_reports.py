"""What is written about a run."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from junitparser.xunit2 import TestCase as Xunit2Case

from crossfleet.api.coordinator.v1 import run_service_pb2
from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact
from crossfleet.api.coordinator.v1.event_service_pb2 import Event
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli import exits
from crossfleet.cli.commands.artifacts import landing
from crossfleet.cli.exits import UsageError
from crossfleet.cli.housekeeping.caches import Entry, choose, entries
from crossfleet.cli.reporting import documents, histories, junit
from crossfleet.cli.reporting.matrix import matrix
from crossfleet.cli.reporting.paint import coloured, plain
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.reporting.table import shorten, some, table
from crossfleet.cli.reporting.text import report, verdict_line
from crossfleet.cli.reporting.times import local, utc
from crossfleet.cli.reporting.whole import write_whole
from crossfleet.cli.running.conclusion import status_of
from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.progress import Progress
from crossfleet.cli.running.results import RunResults
from crossfleet.cli.running.view import LineView, duration

OUTCOMES = (
    ("passed", result_pb2.OUTCOME_PASSED),
    ("failed", result_pb2.OUTCOME_FAILED),
    ("error", result_pb2.OUTCOME_ERROR),
    ("skipped", result_pb2.OUTCOME_SKIPPED),
    ("crashed", result_pb2.OUTCOME_CRASHED),
    ("xfailed", result_pb2.OUTCOME_XFAILED),
)


def results() -> RunResults:
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_FAILED, state=run_pb2.RUN_STATE_FINISHED)
    run.spec.suite.name = "suite"
    run.spec.suite.variables["PASSWORD"] = "hunter2"
    run.created_at.CopyFrom(Timestamp(seconds=1_790_000_000))
    run.finished_at.CopyFrom(Timestamp(seconds=1_790_000_075))
    cases, details = [], {}
    for target in ("plain", "gpu"):
        run.targets.add(name=target)
        for index, (word, outcome) in enumerate(OUTCOMES):
            case = result_pb2.CaseRecord(
                target=target, case_index=index, case_id=f"tests/test_a.py::T::test_{word}[\x00é]"
            )
            case.outcome, case.seconds, case.message = outcome, index / 10, f"says {word}\x1b"
            cases.append(case)
            if word in ("failed", "error", "crashed"):
                full = result_pb2.CaseResult(details=b"the traceback \xff")
                full.sections.add(title="Captured stdout call", content=b"printed \x00")
                full.sections.add(title="Captured stderr call", content=b"warned")
                details[(target, index, case.case_id)] = full
    run.counts.total, run.counts.passed, run.counts.failed = 12, 2, 2
    return RunResults(run, tuple(cases), details)


def told(found: RunResults, **style: Any) -> list[str]:
    return [part.text for part in report(found, plain, ReportStyle(**style))]


def test_the_report_has_matrix_tracebacks_output_and_verdict() -> None:
    text = "\n".join(told(results()))
    assert "tests/test_a.py  1 + 1 failed, 1 error, 1 crashed, 1 skipped, 1 xfailed" in text
    assert all(part in text for part in ("the traceback \\xff", "Captured stdout call", "printed", "slowest"))
    assert text.splitlines()[-1] == "FAILED in 1 m 15 s: 12 cases, 2 passed, 2 failed  [run-1]"


def test_the_first_line_of_a_traceback_keeps_its_indentation() -> None:
    found = results()
    for detail in found.details.values():
        detail.details = b"def test_a():\n>       assert x"
    assert any("\n    def test_a():\n>       assert x" in part for part in told(found))


def test_one_case_and_one_error_are_counted_in_the_singular() -> None:
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_FAILED)
    run.counts.total = run.counts.errors = 1
    assert "1 case, 1 error " in verdict_line(run, plain)


def test_cases_that_were_all_deselected_are_counted() -> None:
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_PASSED)
    ending = result_pb2.SUITE_ENDING_NO_CASES
    run.targets.add(name="a", cause="no tests were collected", deselected=3, ending=ending)
    assert "target a: no tests were collected, 3 deselected" in told(RunResults(run, (), {}))


def test_a_run_that_goes_on_is_not_said_to_have_taken_no_time() -> None:
    run = run_pb2.Run(run_id="run-1")
    run.counts.total = run.counts.pending = 2
    assert verdict_line(run, plain) == "UNFINISHED: 2 cases, 2 pending  [run-1]"


@pytest.mark.parametrize(
    ("data", "address", "told"), [("/a b", "", " --data '/a b'"), ("", "", ""), ("/a", "x:1", " --data /a")]
)
def test_commands_to_go_on_with_name_the_data_folder_that_was_named(
    data: str, address: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSFLEET_ADDRESS", address)
    Outputs(data=data).write(results())
    assert f"crossfleet show run-1{told}\n" in capsys.readouterr().out


def test_a_quiet_report_has_failures_and_verdict_and_the_quietest_the_verdict_alone() -> None:
    verdict = "FAILED in 1 m 15 s: 12 cases, 2 passed, 2 failed  [run-1]"
    assert told(results(), verbosity=-2) == [verdict]
    quiet = told(results(), verbosity=-1)
    assert quiet[-1] == verdict
    assert any("traceback" in part for part in quiet)
    assert not any("tests/test_a.py  1 + 1 failed" in part or "slowest" in part for part in quiet)


def test_a_cause_stands_in_the_verdict_or_with_its_details_at_its_target() -> None:
    found = results()
    found.run.cause = "pytest exited with status 2"
    *_, verdict = told(found)
    assert verdict.endswith("(pytest exited with status 2)  [run-1]")
    found.run.targets[0].cause = found.run.cause
    found.run.targets[0].cause_details = "ImportError: no module"
    *parts, verdict = told(found)
    assert any("status 2\nImportError: no module" in part for part in parts)
    assert "status 2" not in verdict


def test_a_junit_report_reads_back_whatever_tests_printed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.xml"
    junit.write(results(), path)
    suites = list(JUnitXml.fromfile(str(path)))
    assert [(suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) for suite in suites] == [
        ("suite [plain]", 6, 1, 2, 2),
        ("suite [gpu]", 6, 1, 2, 2),
    ]
    failed = next(case for case in suites[0] if "failed" in case.name and "x" not in case.name[:6])
    assert (failed.classname, failed.name) == ("tests.test_a.T", "test_failed[#x00é] [plain]")
    assert "the traceback \\xff" in failed.result[0].text
    assert ("printed" in failed.system_out, "warned" in failed.system_err) == (True, True)
    assert os.listdir(path.parent) == ["out.xml"]


def test_the_json_report_has_a_schema_and_no_values_of_variables() -> None:
    text = documents.write(documents.run_document(results()))
    document = json.loads(text)
    assert (document["schema"], document["run"]["verdict"], len(document["cases"])) == (1, "failed", 12)
    assert document["run"]["created_at"] == "2026-09-21T14:13:20.000Z"
    assert document["cases"][1]["details"] == "the traceback \\xff"
    assert document["run"]["spec"]["suite"]["variables"] == ["PASSWORD"]
    assert "hunter2" not in text


def test_times_are_local_with_offset_for_people_and_utc_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    at = Timestamp(seconds=1_790_000_000, nanos=5_000_000)
    shown = local(at)
    monkeypatch.undo()
    time.tzset()
    assert (shown, utc(at)) == ("2026-09-21 19:43:20+05:30", "2026-09-21T14:13:20.005Z")


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.sampled_from(["x", "y"])), max_size=200
    )
)
def test_every_case_is_in_one_cell_of_the_matrix(found: list[tuple[list[str], str]]) -> None:
    cases = [
        result_pb2.CaseRecord(target=target, case_id=f"{'/'.join(parts)}.py::t", outcome=result_pb2.OUTCOME_PASSED)
        for parts, target in found
    ]
    heads, rows = matrix(cases, ["x", "y"])
    for column, target in enumerate(("x", "y"), 1):
        numbers = [int(row[column]) for row in rows if row[column] != "-"]
        total = sum(1 for _, each in found if each == target)
        assert sum(numbers) == 2 * total  # the rows, and the last that sums them
    assert heads == ["", "x", "y"]


@pytest.mark.parametrize(
    ("ids", "rows"),
    [
        (["pkg.mod.A.test_x", "pkg.mod.A.test_y", "pkg.mod.B.test_x"], ["pkg.mod.A", "pkg.mod.B"]),
        (["Suite.Case", "Some/Numbers.Small/0", "Some/Numbers.Small/1"], ["Some/Numbers", "Suite"]),
        ([f"pkg.mod{n}.A.test" for n in range(100)], ["pkg"]),
        ([f"a name of a case {n}" for n in range(100)], ["100 names"]),
        (["example.com/m/a::TestX", "example.com/m/a", "make check"], ["example.com/m/a", "make check"]),
        (["tests/test_x.py", "tests/test_y.py::test_a"], ["tests/test_x.py", "tests/test_y.py"]),
        (["test/a.test.js", "test/a.test.js::group > one", "b.test.ts"], ["b.test.ts", "test/a.test.js"]),
    ],
    ids=["classes", "suites", "many-classes", "many-names", "packages", "errors-of-files", "files"],
)
def test_rows_are_what_cases_belong_to_and_few(ids: list[str], rows: list[str]) -> None:
    cases = [result_pb2.CaseRecord(target="x", case_id=one, outcome=result_pb2.OUTCOME_PASSED) for one in ids]

    assert [row[0] for row in matrix(cases, ["x"])[1]] == [*rows, "all"]


def test_tables_align_and_long_words_are_cut_in_the_middle() -> None:
    assert table(("a", "n"), [("xx", "1"), ("y", "22")], right=frozenset((1,))) == "a    n\nxx   1\ny   22"
    assert shorten("abcdefghij", 7) == "ab...ij"
    assert coloured("x", "red") == "\x1b[31mx\x1b[0m"


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


def test_of_many_names_a_table_has_the_first_and_their_number() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some([f"run-{number}" for number in range(2000)]) == "run-0, run-1, run-2, run-3, run-4, 1995 more"


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


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
def test_an_artifact_is_never_written_outside(name: str) -> None:
    with pytest.raises(UsageError, match="outside"):
        landing(Path("into"), Artifact(target="t", name=name))
    assert landing(Path("into"), Artifact(name="a/b")) == Path("into/run/a/b")


sizes = st.lists(st.tuples(st.integers(0, 100), st.floats(0, 1000)), max_size=30)


@given(sizes, st.none() | st.floats(0, 1000), st.none() | st.integers(0, 2000))
def test_cleaning_takes_the_longest_unused_until_little_is_left(
    found: list[tuple[int, float]], older: float | None, larger: int | None
) -> None:
    all_entries = [Entry("log", str(index), size, used) for index, (size, used) in enumerate(found)]
    gone = choose(all_entries, 1000.0, older, larger)
    kept = [entry for entry in all_entries if entry not in gone]
    if older is not None:
        assert all(1000.0 - entry.used_at <= older for entry in kept)
    if larger is not None:
        assert sum(entry.size_bytes for entry in kept) <= larger
    assert all(a.used_at <= b.used_at for a in gone for b in kept)
    if older is None and larger is None:
        assert not kept


def test_what_can_be_cleaned_leaves_results_alone(tmp_path: Path) -> None:
    for name in ("ledger.sqlite", "logs/local.log", "logs/runs/run-1/x", "cache/environments/e1/bin", "token"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {(entry.kind, Path(entry.path).name) for entry in entries(str(tmp_path))}
    assert found == {("log", "local.log"), ("run log", "run-1"), ("environment", "e1")}


@pytest.mark.parametrize("target", ["/etc", "..", "a/../.."])
def test_an_artifact_of_a_target_that_leads_elsewhere_is_not_written(target: str) -> None:
    with pytest.raises(UsageError, match="outside of into"):
        landing(Path("into"), Artifact(target=target, name="x"))


def flaky_results() -> RunResults:
    """One case that failed twice and passed, one that failed for good, each with its earlier failures."""
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_FAILED)
    run.targets.add(name="default")
    run.counts.total, run.counts.flaky, run.counts.failed = 2, 1, 1
    cases, details = [], {}
    for index, outcome in enumerate((result_pb2.OUTCOME_FLAKY, result_pb2.OUTCOME_FAILED)):
        case = result_pb2.CaseRecord(target="default", case_index=index, case_id=f"test_a.py::test_{index}")
        case.outcome, case.message, case.worker_id, case.attempt_id = outcome, "boom", "right", 9
        for kind in (result_pb2.OUTCOME_CRASHED, result_pb2.OUTCOME_FAILED):
            earlier = case.earlier.add(outcome=kind, message="boom", worker_id="left", slot=index, details=b"the stack")
            earlier.sections.add(title="Captured stdout call", content=b"printed then")
        cases.append(case)
        details["default", index, case.case_id] = result_pb2.CaseResult(
            details=b"the last stack" if index else b"", outcome=outcome
        )
    return RunResults(run, tuple(cases), details)


def test_flaky_cases_are_shown_apart_with_what_failed_and_where() -> None:
    text = "\n".join(part.text for part in report(flaky_results(), plain))
    assert "0 + 1 failed, 1 flaky" in text
    assert "FLAKY test_a.py::test_0 - boom (run 3 times: slot 0 of left, slot 0 of right)" in text
    assert "CRASHED at execution 1 on slot 0 of left\nthe stack" in text
    assert text.count("printed then") == 1, "what looks the same is shown once"
    assert "the last stack" in text
    assert text.splitlines()[-1].startswith("FAILED in 0.0 s: 2 cases, 1 flaky, 1 failed")


def test_a_junit_report_has_reruns_as_the_schema_of_surefire(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    junit.write(flaky_results(), path)
    (suite,) = JUnitXml.fromfile(str(path))
    flaky, failed = (Xunit2Case.fromelem(case) for case in suite)

    assert (suite.tests, suite.failures, suite.errors) == (2, 1, 0)
    assert (flaky.is_flaky, flaky.is_passed, len(flaky.flaky_errors()), len(flaky.flaky_failures())) == (
        True,
        True,
        1,
        1,
    )
    assert (failed.is_rerun, failed.is_flaky, len(failed.rerun_errors())) == (True, False, 1)
    assert flaky.flaky_errors()[0].stack_trace == "the stack"
    assert "printed then" in failed.rerun_failures()[0].system_out


def test_a_json_report_has_earlier_failures() -> None:
    first, _ = documents.run_document(flaky_results())["cases"]
    assert first["outcome"] == "flaky"
    assert [one["outcome"] for one in first["earlier"]] == ["crashed", "failed"]
    assert first["earlier"][0]["sections"][0]["content"] == "printed then"


def test_histories_are_tables_by_target_or_place() -> None:
    case = run_service_pb2.CaseHistory(case_id="test_a.py::test_0", target="gpu", recent="..R", contradictions=2)
    case.runs.CopyFrom(run_service_pb2.Tally(total=3, passed=2, flaky=1, low=0.06, high=0.79))
    case.last_failure.message = "boom"
    for slot in (-1, 0, 1):
        tally = run_service_pb2.Tally(total=4, passed=3, failed=1, low=0.05, high=0.7)
        case.places.add(worker_id="left", slot=slot, executions=tally)

    target = histories.by_target([case], plain)
    assert "33 % (6-79)" in target
    assert target.splitlines()[-1] == "    boom"
    assert len(histories.by_place([case], plain, slots=False).splitlines()) == 2
    assert len(histories.by_place([case], plain, slots=True).splitlines()) == 3


def test_histories_of_several_projects_or_suites_are_told_apart() -> None:
    cases = [
        run_service_pb2.CaseHistory(
            case_id="test_a.py::test_0", target="gpu", project=project, suite="s", runner="pytest"
        )
        for project in ("ml", "web")
    ]
    head, *rows = histories.by_target(cases, plain).splitlines()
    assert head.split()[:4] == ["case", "target", "project", "runs"]
    assert [row.split()[2] for row in rows] == ["ml", "web"]


def test_a_report_that_finds_the_disk_full_names_its_file() -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        write_whole(Path("/dev/full"), "text")
    assert raised.value.filename == "/dev/full"


@pytest.mark.parametrize("write", [junit.write, lambda _, path: write_whole(path, "text")], ids=["junit", "whole"])
def test_a_report_is_written_through_a_link_and_never_replaces_a_pipe(
    tmp_path: Path, write: Callable[[RunResults, Path], None]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write(results(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").stat().st_size
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(results(), tmp_path / "pipe")
        assert os.read(reader, 100)
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    assert not list(tmp_path.glob(".*"))
