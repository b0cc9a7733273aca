"""Fixtures are set up and torn down as pytest does for the order in which the cases are given."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from services.worker.tests.shim.driver import PYTHON, Shim, suite

CONFTEST = """
import os, pathlib, pytest

LOG = pathlib.Path(__file__).with_name(os.environ.get("LOG_NAME", "plain") + ".log")

def note(text):
    name = os.environ.get("PYTEST_XDIST_WORKER", "plain")
    with pathlib.Path(__file__).with_name(name + ".log").open("a") as file:
        file.write(text + "\\n")

def make(scope):
    @pytest.fixture(scope=scope, autouse=True, name=scope + "_thing")
    def thing(request):
        note("up " + scope)
        yield
        note("down " + scope)
    return thing

session_thing = make("session")
package_thing = make("package")
module_thing = make("module")
class_thing = make("class")
function_thing = make("function")

@pytest.fixture(scope="module", params=["x", "y"])
def letter(request):
    note("up letter " + request.param)
    yield request.param
    note("down letter " + request.param)

def pytest_runtest_call(item):
    note("call " + item.nodeid)
"""

FILES = {
    "conftest": CONFTEST,
    "test_a": """
        class TestOne:
            def test_1(self, letter): ...
            def test_2(self, letter): ...
        class TestTwo:
            def test_3(self): ...
        def test_4(letter): ...
        """,
    "test_b": """
        def test_5(): ...
        def test_6(letter): ...
        """,
}


def plain_log(folder: Path) -> list[str]:
    """Run the suite with pytest itself; return what its fixtures wrote."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    return (folder / "plain.log").read_text().splitlines()


def test_one_slot_in_several_tasks_sees_the_fixtures_of_one_pytest(shim: Shim, tmp_path: Path) -> None:
    expected = plain_log(suite(tmp_path / "plain", **FILES))
    folder = suite(tmp_path / "fleet", **FILES)
    count = len(shim.open(folder)["cases"])
    shim.acknowledge = False
    for attempt, start in enumerate(range(0, count, 2), 1):
        shim.run(0, attempt, list(range(start, min(start + 2, count))), last=False)
    shim.send(op="last", allocation="A", slot=0)
    shim.op("finished", attempt=(count + 1) // 2)
    shim.close()
    assert (folder / "gw0.log").read_text().splitlines() == expected


def test_the_last_case_waits_until_it_is_known_what_follows(shim: Shim, tmp_path: Path) -> None:
    folder = suite(tmp_path, **FILES)
    shim.open(folder)
    shim.run(0, 1, [0, 1], last=False)
    shim.op("want", slot=0)
    shim.op("result", case=0)
    assert not shim.all("result", case=1)
    shim.run(0, 2, [2], last=True)
    shim.op("finished", attempt=2)
    log = (folder / "gw0.log").read_text().splitlines()
    assert log.count("up session") == log.count("up module") == 1
    assert log[-2:] == ["down package", "down session"] or log[-1] == "down session"


def test_each_slot_has_one_session_and_a_case_alone_is_wanted_at_once(shim: Shim, tmp_path: Path) -> None:
    folder = suite(tmp_path, **FILES)
    count = len(shim.open(folder, slots=2)["cases"])
    shim.run(0, 1, list(range(count - 1)))
    shim.run(1, 2, [count - 1], last=False)
    shim.op("want", slot=1)
    shim.send(op="last", allocation="A", slot=1)
    shim.op("finished", attempt=1)
    shim.op("finished", attempt=2)
    for name in ("gw0", "gw1"):
        log = (folder / f"{name}.log").read_text().splitlines()
        assert (log[0], log[-1]) == ("up session", "down session")
        assert log.count("up session") == 1


def test_a_teardown_that_fails_makes_an_error_and_keeps_the_calls_outcome(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest
        @pytest.fixture
        def bad():
            yield
            raise RuntimeError("in teardown")
        @pytest.fixture
        def worse():
            raise RuntimeError("in setup")
        def test_passes(bad): ...
        def test_fails(bad): assert 0, "in call"
        def test_no_setup(worse): ...
        """,
    )
    shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0, 1, 2])
    assert [r["outcome"] for r in results] == ["error", "failed", "error"]
    assert ["call_outcome", "passed"] in results[0]["properties"]
    assert "in teardown" in results[0]["message"]
    assert "in call" in results[1]["message"]
    assert "in teardown" in results[1]["details"]
    assert results[2]["message"] == "RuntimeError: in setup"
