"""What a suite sees of the slots that it runs on, and what it has once a slot or once a host."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing
from tests.plugins.both import QUIET, fleet, plain, write
from tests.plugins.environments import WITHOUT_XDIST
from tests.truth.subjects import environment

pytestmark = [pytest.mark.needs_uv, pytest.mark.timeout(300)]

IDENTITY = {
    "test_it.py": """
    import os, time, pytest
    @pytest.mark.parametrize("n", range(24))
    def test_it(n, worker_id, testrun_uid, request):
        assert os.environ["PYTEST_XDIST_WORKER"] == worker_id == request.config.workerinput["workerid"]
        assert os.environ["PYTEST_XDIST_TESTRUNUID"] == testrun_uid
        assert int(worker_id[2:]) < int(os.environ["PYTEST_XDIST_WORKER_COUNT"]) == request.config.workerinput["workercount"]
        time.sleep(0.05)
        with open(os.environ["NOTES"], "a") as file:
            file.write(f"{os.environ['CROSSFLEET_TARGET']} {os.environ['CROSSFLEET_WORKER']} {os.environ['CROSSFLEET_SLOT']}"
                       f" {worker_id} {testrun_uid}\\n")
    """
}


@pytest.mark.parametrize(
    "without", [pytest.param(False, marks=pytest.mark.truth), True], ids=["xdist", "no xdist installed"]
)
def test_no_two_slots_of_a_run_have_the_same_name(
    two_workers: Standing, python: Path, project: Path, without: bool
) -> None:
    write(project, {**IDENTITY, "pytest.ini": "[pytest]\n"} if without else IDENTITY)
    used = environment("plugins-bare", *WITHOUT_XDIST) if without else python
    notes = project.with_name("notes")

    found = fleet(
        two_workers,
        used,
        project,
        *(() if without else QUIET),
        options=("--target", "a=", "--target", "b="),
        env={"NOTES": str(notes)},
    )

    assert found.status == 0, found.text
    rows = {tuple(line.split()) for line in notes.read_text().splitlines()}
    slots = {row[1:3]: row[3] for row in rows}
    assert len({row[4] for row in rows}) == 1
    assert len(slots) == len({(row[0], row[3]) for row in rows}) == len(set(slots.values())), rows
    assert set(slots.values()) <= {f"gw{n}" for n in range(4)}


ONCE = {
    "conftest.py": """
    import os, subprocess, pytest
    def note(text):
        with open(os.environ["NOTES"], "a") as file: file.write(text + "\\n")
    def serve():
        note("up")
        server = subprocess.Popen(["sleep", "600"])
        yield {"pid": server.pid}
        note(f"down {server.poll()}")
        server.kill()
        server.wait()
    @pytest.fixture(scope="session")
    def server(once_per_host):
        note("asked")
        return once_per_host("server", serve)
    def fails(): raise OSError("no room for it")
    @pytest.fixture(scope="session")
    def broken(once_per_host): return once_per_host("broken", fails)
    """,
    "test_it.py": """
    import os, time, pytest
    @pytest.mark.parametrize("n", range(16))
    def test_it(n, server):
        os.kill(server["pid"], 0)
        time.sleep(0.05)
        if n == 5 and "CRASH" in os.environ: os._exit(3)
    """,
}


@pytest.mark.parametrize("crash", [False, True], ids=["", "with a crash"])
def test_something_is_made_once_for_a_run_on_a_host_and_ended_with_it(
    two_workers: Standing, python: Path, project: Path, crash: bool
) -> None:
    write(project, ONCE)
    notes = project.with_name("notes")
    env = {"NOTES": str(notes), **({"CRASH": "1"} if crash else {})}

    found = fleet(two_workers, python, project, *QUIET, options=("--target", "a=", "--target", "b="), env=env)

    lines = Counter(notes.read_text().splitlines())
    assert lines.pop("asked") >= 4
    assert lines == {"up": 1, "down None": 1}, found.text
    assert Counter(found.outcomes.values())["crashed"] == int(crash)
    assert found.status == int(crash), found.text


def test_what_cannot_be_made_is_an_error_that_says_why(standing: Standing, python: Path, project: Path) -> None:
    write(project, {**ONCE, "test_it.py": "def test_it(broken): pass\n"})

    found = fleet(standing, python, project, *QUIET, env={"NOTES": str(project.with_name("notes"))})

    assert found.outcomes == {"test_it.py::test_it": "error"}
    assert "OSError: no room for it" in found.text


SCOPES = {
    "conftest.py": """
    import os, pytest
    def note(text):
        with open(os.environ["NOTES"], "a") as file: file.write(text + "\\n")
    def fixture(scope):
        @pytest.fixture(scope=scope, autouse=True, name=scope + "_thing")
        def thing(): note(scope)
        return thing
    session_thing, module_thing, class_thing = fixture("session"), fixture("module"), fixture("class")
    """,
    **{
        f"test_{name}.py": """
        import pytest, time
        class TestOne:
            @pytest.mark.parametrize("n", range(6))
            def test_one(self, n): time.sleep(0.005)
        class TestTwo:
            @pytest.mark.parametrize("n", range(6))
            def test_two(self, n): time.sleep(0.005)
        """
        for name in "abcdefgh"
    },
}


def test_fixtures_are_set_up_no_more_often_than_under_xdists_load(
    standing: Standing, python: Path, project: Path
) -> None:
    write(project, SCOPES)
    notes = {name: project.with_name(name) for name in ("xdist", "fleet")}

    plain(python, project, *QUIET, "-n", "2", "--dist", "load", env={"NOTES": str(notes["xdist"])})
    found = fleet(standing, python, project, *QUIET, env={"NOTES": str(notes["fleet"])})

    counts = {name: Counter(path.read_text().splitlines()) for name, path in notes.items()}
    assert re.search(r"96 passed", found.text), found.text
    assert counts["fleet"]["session"] == counts["xdist"]["session"] == 2
    for scope in ("module", "class"):
        assert counts["fleet"][scope] <= counts["xdist"][scope], counts
