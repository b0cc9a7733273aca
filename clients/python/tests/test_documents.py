"""Reports for programs: JUnit and JSON, and how their files are written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from junitparser import JUnitXml
from junitparser.xunit2 import TestCase as Xunit2Case

from clients.python.tests.reported import flaky_results, results
from crossfleet.cli.reporting import documents, junit
from crossfleet.cli.reporting.whole import write_whole
from crossfleet.cli.running.results import RunResults


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
