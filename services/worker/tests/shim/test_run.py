"""From open to closed on real suites."""

from __future__ import annotations

import venv
from pathlib import Path

from services.worker.tests.shim.driver import Shim, suite


def test_two_slots_run_a_small_suite_to_its_end(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os, pytest

        @pytest.mark.parametrize("n", range(6))
        def test_n(n):
            print("worker", os.environ["PYTEST_XDIST_WORKER"], os.environ["SLOT"])
            assert n != 4

        @pytest.mark.skip(reason="not today")
        def test_skipped(): ...

        @pytest.mark.xfail(reason="known")
        def test_expected(): assert 0
        """,
    )
    collected = shim.open(tmp_path, "-q", slots=2)
    assert [case["id"] for case in collected["cases"]][:2] == ["test_a.py::test_n[0]", "test_a.py::test_n[1]"]
    shim.run(0, 1, [0, 1, 2, 3])
    shim.run(1, 2, [4, 5, 6, 7])
    assert shim.op("finished", attempt=1)["cause"] == "done"
    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert list(shim.outcomes(collected).values()).count("passed") == 5
    failed = shim.op("result", case=4)
    assert failed["outcome"] == "failed"
    assert failed["message"] == "assert 4 != 4"
    assert failed["sections"] == [["Captured stdout call", "worker gw1 1\n"]]
    assert (shim.op("result", case=6)["outcome"], shim.op("result", case=6)["message"]) == ("skipped", "not today")
    assert (shim.op("result", case=7)["outcome"], shim.op("result", case=7)["message"]) == ("xfailed", "known")
    closed = shim.close()
    assert (closed["cause"], closed["exit"]) == ("done", 1)


def test_an_environment_without_pytest_is_told_in_one_line(shim: Shim, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    closed = shim.open(tmp_path, python=python)
    assert closed["op"] == "closed"
    assert closed["message"].splitlines()[1:] == [f"{python} has no pytest: add it to the requirements"]


def test_a_pytest_that_cannot_begin_is_told_with_its_words(shim: Shim, tmp_path: Path) -> None:
    closed = shim.open(tmp_path, "nope.py")
    assert closed["message"].startswith("pytest could not begin")
    assert "file or directory not found: nope.py" in closed["message"]
