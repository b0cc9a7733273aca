"""Pytest's own options, as people type them, on a fleet of two workers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.standing import PYTEST, Standing, crossfleet, environment, outcomes

GROUPED = """
import time, pytest
many = pytest.mark.parametrize("number", range(8))
@many
@pytest.mark.xdist_group("shared")
def test_marked(number): time.sleep(0.01)
class TestClass:
    @many
    def test_method(self, number): time.sleep(0.01)
@many
def test_plain(number): time.sleep(0.01)
"""


def workers_of(report: dict[str, Any], key: Any) -> dict[str, set[str]]:
    """Which workers executed the cases of each key."""
    found = defaultdict(set)
    for case in report["cases"]:
        found[key(case["id"])].add(case["worker"])
    return dict(found)


def scope(case: str) -> str:
    return case.rpartition("::")[0]


def test_groups_stay_on_one_worker_as_dist_says(fleet: Standing, project: Path) -> None:
    for name in ("test_a", "test_b", "test_c"):
        (project / f"{name}.py").write_text(GROUPED)

    _, by_file = fleet.report(*PYTEST, "--dist", "loadfile", cwd=project)
    _, by_scope = fleet.report(*PYTEST, "--dist=loadscope", cwd=project)
    _, by_mark = fleet.report(*PYTEST, "-n2", "--dist=loadgroup", cwd=project)

    files = workers_of(by_file, lambda case: case.partition("::")[0])
    assert {len(workers) for workers in files.values()} == {1}
    assert set().union(*files.values()) == {"left", "right"}
    scopes = workers_of(by_scope, scope)
    assert len(scopes) == 6
    assert {len(workers) for workers in scopes.values()} == {1}
    marked = workers_of(by_mark, lambda case: "marked" if "test_marked" in case else "free")
    assert (len(marked["marked"]), len(marked["free"])) == (1, 2)
    for report in (by_file, by_scope, by_mark):
        assert set(outcomes(report).values()) == {"passed"}


def test_options_in_the_projects_settings_mean_what_they_mean_on_the_command_line(
    fleet: Standing, project: Path
) -> None:
    (project / "test_it.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(300))\ndef test_it(n): assert n\n"
    )
    (project / "pytest.ini").write_text("[pytest]\naddopts = -x -n 1 --junitxml=reports/junit.xml\n")

    done, report = fleet.report(*PYTEST, cwd=project)

    found = list(outcomes(report).values())
    assert (done.status, found.count("failed")) == (1, 1), done.text
    assert found.count("not_run") > 250
    assert len({case["worker"] for case in report["cases"] if case["worker"]}) == 1
    assert (project / "reports" / "junit.xml").exists()


STOPPING = """
import os, pathlib, time, pytest
def note(kind, number=-1):
    with open("log", "a") as log:
        log.write(f"{kind} {number} {os.environ['CROSSFLEET_WORKER']} {time.monotonic()}\\n")
@pytest.mark.parametrize("number", range(60))
def test_it(number):
    note("began", number)
    time.sleep(0.2)
    assert number != 1
"""
CONFTEST = """
import pytest, test_it
@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.failed:
        test_it.note("told")
"""


def test_exit_first_lets_nothing_begin_but_what_begins_within_a_round_trip(fleet: Standing, project: Path) -> None:
    (project / "test_it.py").write_text(STOPPING)
    (project / "conftest.py").write_text(CONFTEST)

    done, report = fleet.report(*PYTEST, "-x", cwd=project)

    events = [line.split() for line in (project / "log").read_text().splitlines()]
    told = next(event for event in events if event[0] == "told")  # the session that ends hears of it once more
    late = [event for event in events if event[0] == "began" and float(event[3]) > float(told[3])]
    assert done.status == 1, done.text
    assert [event for event in late if event[2] == told[2]] == []
    # One other slot, whose cases take 0.2 s: a round trip on a busy machine is far below five of them.
    assert len(late) <= 5
    assert list(outcomes(report).values()).count("not_run") > 40


FAILING = """
import os, pytest
@pytest.mark.parametrize("number", range(12))
def test_it(number): assert str(number) not in os.environ["BAD"].split(",")
"""


def test_last_failures_of_several_workers_are_those_that_pytest_would_know(fleet: Standing, project: Path) -> None:
    for name in ("test_a", "test_b"):
        (project / f"{name}.py").write_text(FAILING)
    words = (sys.executable, "-m", "pytest")
    cache = project / ".pytest_cache" / "v" / "cache"

    def on_fleet(bad: str, *more: str) -> tuple[dict[str, str], list[str]]:
        _, report = fleet.report(*words, *more, cwd=project, options=("--env", f"BAD={bad}"))
        return outcomes(report), sorted(json.loads((cache / "lastfailed").read_text()))

    def plain(bad: str, *more: str) -> list[str]:
        command = [*words, "-q", "-o", "cache_dir=plain", *more]
        subprocess.run(
            command, cwd=project, env=environment({"BAD": bad}), capture_output=True, timeout=50, check=False
        )
        return sorted(json.loads((project / "plain" / "v" / "cache" / "lastfailed").read_text()))

    for bad, more in (("1,5,9", ()), ("5", ("--lf",)), ("2", ("--deselect", "test_a.py"))):
        found, remembered = on_fleet(bad, *more)
        assert remembered == plain(bad, *more), bad
        assert len(found) == {"1,5,9": 24, "5": 6, "2": 12}[bad]


def test_stepwise_goes_on_from_the_failure_in_the_order_of_the_suite(fleet: Standing, project: Path) -> None:
    for name in ("test_a", "test_b"):
        (project / f"{name}.py").write_text(FAILING)

    counts = []
    for bad in ("3", "none"):
        words = (sys.executable, "-m", "pytest", "--sw")
        _, report = fleet.report(*words, cwd=project, options=("--env", f"BAD={bad}"))
        found = list(outcomes(report).values())
        counts.append((found.count("passed"), found.count("failed"), len(found)))

    assert counts == [(3, 1, 24), (21, 0, 21)]


def test_a_copied_workspace_says_that_it_knows_no_earlier_failures(fleet: Standing, project: Path) -> None:
    (project / "test_it.py").write_text("def test_it(): pass\n")

    done = fleet.run(*PYTEST[:3], "--lf", cwd=project, options=("--isolated",))

    assert done.status == 0, done.text
    assert "--lf: a copied workspace has no cache" in done.err


@pytest.mark.parametrize(("typed", "status"), [("yes", 0), ("no", 1)])
def test_local_is_pytest_in_this_terminal(project: Path, typed: str, status: int) -> None:
    (project / "test_it.py").write_text("def test_it(): assert input('well? ') == 'yes'\n")

    done = crossfleet(
        *("run", "--local", "--env", "SAID=1", "--", *PYTEST, "-s", "--pdbcls=pdb:Pdb"),
        cwd=project,
        text=f"{typed}\n".encode(),
    )

    assert done.status == status, done.text
    assert "well? " in done.out
    assert f"1 {'passed' if not status else 'failed'}" in done.out


def test_local_has_pytests_exit_status_and_names_what_it_cannot_heed(project: Path) -> None:
    (project / "test_it.py").write_text("")

    assert crossfleet("run", "--local", "--", *PYTEST, cwd=project).status == 5
    refused = crossfleet("run", "--local", "--junit", "out.xml", "--", *PYTEST, cwd=project)
    assert (refused.status, "--junit" in refused.err) == (2, True)
    other = crossfleet("run", "--local", "--", "make", cwd=project)
    assert (other.status, "--local -- pytest" in other.err) == (2, True)
