"""What is written about a run."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from clients.python.tests.reported import flaky_results, results
from crossfleet.api.coordinator.v1 import run_service_pb2
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting import histories
from crossfleet.cli.reporting.matrix import matrix
from crossfleet.cli.reporting.paint import coloured, plain
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.reporting.table import shorten, some, table
from crossfleet.cli.reporting.text import report, verdict_line
from crossfleet.cli.reporting.times import local, utc
from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.results import RunResults


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


def test_of_many_names_a_table_has_the_first_and_their_number() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some([f"run-{number}" for number in range(2000)]) == "run-0, run-1, run-2, run-3, run-4, 1995 more"


def test_flaky_cases_are_shown_apart_with_what_failed_and_where() -> None:
    text = "\n".join(part.text for part in report(flaky_results(), plain))
    assert "0 + 1 failed, 1 flaky" in text
    assert "FLAKY test_a.py::test_0 - boom (run 3 times: slot 0 of left, slot 0 of right)" in text
    assert "CRASHED at execution 1 on slot 0 of left\nthe stack" in text
    assert text.count("printed then") == 1, "what looks the same is shown once"
    assert "the last stack" in text
    assert text.splitlines()[-1].startswith("FAILED in 0.0 s: 2 cases, 1 flaky, 1 failed")


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
