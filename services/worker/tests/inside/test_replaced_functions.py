"""A suite that replaces what the runner itself stands on, for good: its cases are still reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, suite


@pytest.mark.parametrize(
    "replaced",
    [
        "socket.socket = None",
        "os.getpid = lambda: 4",
        "json.dumps = json.loads = None",
        "time.time = lambda: 0.0",
        "os.times = None",
    ],
)
def test_a_conftest_that_replaces_a_function_keeps_its_results(shim: Shim, tmp_path: Path, replaced: str) -> None:
    suite(
        tmp_path,
        conftest=f"import json, os, socket, time\n{replaced}",
        test_a="""
        def test_passes(): pass
        def test_fails(): assert 0
        """,
    )
    shim.open(tmp_path, "-p", "no:cacheprovider")
    results, _ = shim.finish(0, 1, [0, 1])
    assert [result["outcome"] for result in results] == ["passed", "failed"]


def test_a_case_reported_under_a_phase_of_a_plugin_fails_with_its_message(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import pytest
        from _pytest.reports import TestReport

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            report = TestReport(item.nodeid, item.location, {}, "failed", "its process died", "???")
            item.ihook.pytest_runtest_logreport(report=report)
            return True
        """,
        test_a="def test_0(): pass",
    )
    shim.open(tmp_path, "-p", "no:cacheprovider")
    results, _ = shim.finish(0, 1, [0])
    assert [(result["outcome"], result["message"]) for result in results] == [("failed", "its process died")]


def test_properties_that_no_line_can_carry_are_cut_and_the_case_keeps_its_outcome(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        def test_large(record_property): record_property("x", "a" * 20_000_000)
        def test_many(record_property):
            for n in range(200_000): record_property("k%d" % n, "v" * 100)
        """,
    )
    shim.open(tmp_path, "-p", "no:cacheprovider")
    results, _ = shim.finish(0, 1, [0, 1])
    assert [result["outcome"] for result in results] == ["passed", "passed"]
    assert len(results[0]["properties"][0][1]) < 2000
    assert len(results[1]["properties"]) == 64
