"""Cases that run more than once: by their marks, by the fleet, by plugins of the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, suite

REPEATS = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(3):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            failed = report.failed
            if failed:
                report.outcome = "rerun"
            if not (failed and SILENT):
                item.ihook.pytest_runtest_logreport(report=report)
        if not any(report.outcome == "rerun" for report in reports):
            break
    return True
"""
MARKED = """
    import pytest
    @pytest.mark.flaky(reruns=2)
    def test_named(): ...
    @pytest.mark.flaky(3)
    def test_positional(): ...
    @pytest.mark.flaky
    def test_bare(): ...
    @pytest.mark.flaky(max_runs=4)
    def test_runs(): ...
    @pytest.mark.flaky(reruns=5, condition=False)
    def test_condition(): ...
    @pytest.mark.flaky(reruns=10**9)
    def test_many(): ...
    def test_plain(): ...
    """
COUNTING = """
    import pytest
    made = []
    @pytest.fixture(scope="session")
    def session():
        made.append("session")
        if len(made) == 1:
            raise OSError("not yet")
        yield
    class Test:
        def test_fixture_and_instance(self, session, record_property, request):
            print("said", len(made))
            record_property("made", len(made))
            assert not hasattr(self, "used")
            self.used = True
            assert len(made) > 2, "too early"
    """


def test_marks_say_how_often_a_case_may_be_run_again(shim: Shim, tmp_path: Path) -> None:
    collected = shim.open(suite(tmp_path, test_a=MARKED), "--strict-markers")
    found = {case["id"].partition("::")[2]: case.get("reruns", 0) for case in collected["cases"]}
    assert found == {
        "test_named": 2,
        "test_positional": 3,
        "test_bare": 1,
        "test_runs": 3,
        "test_condition": 0,
        "test_many": 100,
        "test_plain": 0,
    }


@pytest.mark.parametrize("plugin", ["rerunfailures", "flaky"])
def test_marks_are_left_to_a_plugin_of_the_suite_that_heeds_them(shim: Shim, tmp_path: Path, plugin: str) -> None:
    suite(tmp_path, test_a=MARKED, **{plugin: ""})
    collected = shim.open(tmp_path, "-p", plugin, env={"PYTHONPATH": str(tmp_path)})
    assert not any(case.get("reruns") for case in collected["cases"])


def test_a_case_that_is_run_again_in_its_process_begins_with_fresh_fixtures_instance_and_output(
    shim: Shim, tmp_path: Path
) -> None:
    shim.open(suite(tmp_path, test_a=COUNTING))
    for attempt in (1, 2, 3):
        shim.run(0, attempt, [0], last=attempt == 3)
    shim.op("finished", attempt=3)

    first, second, third = shim.all("result")
    assert (first["outcome"], first["message"]) == ("error", "OSError: not yet")
    assert (second["outcome"], second["message"].splitlines()[0]) == ("failed", "AssertionError: too early")
    assert third["outcome"] == "passed", third
    assert third["properties"] == [["made", 3]]
    assert [text for _, text in second["sections"]] == ["said 2\n"]
    assert len({result["case"] for result in (first, second, third)}) == 1


@pytest.mark.parametrize("silent", [True, False])
def test_what_a_plugin_runs_again_until_it_passes_is_flaky_with_what_failed(
    shim: Shim, tmp_path: Path, silent: bool
) -> None:
    text = """
        tries = []
        def test_later():
            print("try", len(tries))
            tries.append(0)
            assert len(tries) > 2, "not yet"
        """
    shim.open(suite(tmp_path, test_a=text, conftest=f"SILENT = {silent}\n{REPEATS}"))
    (result,), _ = shim.finish(0, 1, [0])

    assert (result["outcome"], result["message"].splitlines()[0]) == ("flaky", "AssertionError: not yet")
    assert [one["outcome"] for one in result["earlier"]] == ["failed", "failed"]
    assert "assert len(tries) > 2" in result["earlier"][0]["details"]
    assert result["earlier"][0]["sections"] == [["Captured stdout call", "try 0\n"]]


def test_the_sessions_own_summary_tells_the_last_execution_of_a_case(shim: Shim, tmp_path: Path) -> None:
    text = """
        import os, pathlib
        def test_flaky():
            there = pathlib.Path("been")
            if there.exists():
                return
            there.touch()
            assert 0
        def test_dies():
            there = pathlib.Path("died")
            if not there.exists():
                there.touch()
                os._exit(3)
        def test_fails(): assert 0
        """
    shim.open(suite(tmp_path, test_a=text), "-p", "cacheprovider")
    shim.finish(0, 1, [0, 1, 2])
    shim.finish(0, 2, [2, 0])
    shim.finish(0, 3, [2])
    shim.finish(0, 4, [1])
    shim.close()

    said = "".join(message["data"] for message in shim.all("log"))
    assert "1 failed, 2 passed" in said, said
    assert "3 rerun" in said
    assert (tmp_path / ".pytest_cache/v/cache/lastfailed").read_text().count("::") == 1
