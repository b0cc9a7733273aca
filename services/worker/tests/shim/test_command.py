"""A command is one case; its exit code is the verdict."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from services.worker.tests.shim.driver import Message, Shim, gone, pause

REPORT = """<?xml version="1.0"?>
<testsuites><testsuite name="s">
  <testcase classname="c.D" name="one" time="0.5"/>
  <testcase classname="c.D" name="one" time="0.1"><failure message="bad&#10;more">trace</failure></testcase>
  <testcase name="skips"><skipped message="why"/></testcase>
  <testcase name="breaks"><system-out>said</system-out><error>boom
at line 3</error></testcase>
</testsuite></testsuites>
"""
AGAIN = '<testsuite><testcase classname="once" name="more"/></testsuite>'


def run(shim: Shim, cwd: Path, code: str, **fields: Any) -> tuple[list[Message], Message]:
    """Run Python code as the command of one task."""
    shim.open(cwd, sys.executable, "-c", code, runner="command", **fields)
    return shim.finish(0, 1, [0])


def test_the_command_line_is_the_case_and_status_0_passes(shim: Shim, tmp_path: Path) -> None:
    collected = shim.open(tmp_path, "sh", "-c", "echo hello; echo oops >&2; pwd", runner="command")
    assert [case["id"] for case in collected["cases"]] == [shlex.join(["sh", "-c", "echo hello; echo oops >&2; pwd"])]
    results, finished = shim.finish(0, 1, [0])
    assert (results[0]["outcome"], finished["cause"]) == ("passed", "done")
    assert results[0]["sections"] == [["stdout (end)", f"hello\n{tmp_path}\n"], ["stderr (end)", "oops\n"]]
    logs = {m["stream"]: m["data"] for m in shim.all("log")}
    assert logs["stderr"] == "oops\n"
    assert shim.close()["cause"] == "done"


@pytest.mark.parametrize(
    ("code", "outcome", "word"),
    [
        ("raise SystemExit(3)", "failed", "status 3"),
        ("import os; os.kill(os.getpid(), 11)", "crashed", "SIGSEGV"),
    ],
)
def test_other_ends_are_no_pass(shim: Shim, tmp_path: Path, code: str, outcome: str, word: str) -> None:
    results, finished = run(shim, tmp_path, code)
    assert results[0]["outcome"] == outcome
    assert word in results[0]["message"]
    assert finished["cause"] == "done"


def test_a_command_that_is_not_there_is_a_fault_of_the_environment(shim: Shim, tmp_path: Path) -> None:
    shim.open(tmp_path, "/no/such/program", runner="command")
    results, finished = shim.finish(0, 1, [0])
    assert (results, finished["cause"], finished["left"]) == ([], "environment", [0])
    assert "/no/such/program" in finished["message"]


def test_a_command_over_its_time_is_ended_with_its_children(shim: Shim, tmp_path: Path) -> None:
    # A shell: it is there long before its time is over, however busy the machine is.
    script = "setsid sleep 300 & echo $! > pid; echo before; sleep 300"
    shim.open(tmp_path, "sh", "-c", script, runner="command", limits={"case_seconds": 1})
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "timed_out"
    assert results[0]["sections"] == [["stdout (end)", "before\n"]]
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_cancelled_command_has_no_result_and_the_next_task_runs(shim: Shim, tmp_path: Path) -> None:
    code = "import time, pathlib; first = not pathlib.Path('ran').exists(); pathlib.Path('ran').touch(); "
    shim.open(tmp_path, sys.executable, "-c", code + "time.sleep(300 * first)", runner="command")
    shim.run(0, 1, [0])
    shim.op("started", attempt=1)
    shim.run(0, 2, [0])
    while not (tmp_path / "ran").exists():
        pause()
    shim.send(op="cancel", attempts=[1], grace=2)
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert [r["attempt"] for r in shim.all("result")] == [2]


def test_a_command_that_uses_more_memory_than_allowed_is_to_blame(shim: Shim, tmp_path: Path) -> None:
    code = "import time; food = bytearray(300 << 20); time.sleep(300)"
    results, finished = run(shim, tmp_path, code, memory_bytes=100 << 20)
    assert (results[0]["outcome"], finished["cause"]) == ("crashed", "done")
    assert results[0]["message"].startswith("out of memory: 100 MiB limit, ")


def test_junit_files_that_it_leaves_become_cases_and_older_ones_do_not(shim: Shim, tmp_path: Path) -> None:
    old = tmp_path / "reports" / "old.xml"
    old.parent.mkdir()
    old.write_text(REPORT)
    again = tmp_path / "reports" / "again.xml"
    again.write_text("<testsuite/>")
    code = f"open('reports/new.xml', 'w').write({REPORT!r}); open('reports/again.xml', 'w').write({AGAIN!r})"
    results, _ = run(shim, tmp_path, code, junit_globs=["reports/**/*.xml"])
    added = {r["id"]: r for r in results if "id" in r}
    assert {name: r["outcome"] for name, r in added.items()} == {
        "c.D::one": "passed",
        "c.D::one#2": "failed",
        "skips": "skipped",
        "breaks": "error",
        "once::more": "passed",
    }
    assert (added["c.D::one#2"]["message"], added["c.D::one#2"]["details"]) == ("bad", "trace")
    assert added["c.D::one"]["durations"] == [0.0, 0.5, 0.0]
    assert added["breaks"]["message"] == "boom"
    assert added["breaks"]["sections"] == [["Captured stdout", "said"]]
    assert [r["outcome"] for r in results if "id" not in r] == ["passed"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("<testsuites>", "no element found"),
        ("<html/>", "the root is <html>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><testsuites/>', "DOCTYPE"),
    ],
)
def test_a_report_that_may_not_be_read_is_named_in_the_details(
    shim: Shim, tmp_path: Path, text: str, word: str
) -> None:
    results, _ = run(shim, tmp_path, f"open('r.xml', 'w').write({text!r})", junit_globs=["*.xml"])
    assert len(results) == 1
    assert word in results[0]["details"]
    assert "r.xml" in results[0]["details"]


def test_a_command_gets_the_umask_with_which_the_shim_was_started(shim: Shim, tmp_path: Path) -> None:
    old = os.umask(0)
    os.umask(old)
    results, _ = run(shim, tmp_path, "import os; print(oct(os.umask(0)))")
    assert results[0]["sections"] == [["stdout (end)", f"{oct(old)}\n"]]
