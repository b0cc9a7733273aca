"""What plugins of the one session at the end see: pytest's own counts, reports, warnings and caches."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from services.worker.tests.shim.driver import PYTHON, Shim, suite

MIXED = """
    import os, unittest, warnings
    import pytest
    @pytest.mark.parametrize("n", range(4))
    def test_passes(n):
        warnings.warn(f"number {n % 2}", DeprecationWarning)
    def test_fails(): assert 0, "the reason"
    @pytest.fixture
    def broken():
        yield
        raise OSError("tear-down")
    def test_errs(broken): ...
    def test_fails_and_errs(broken): assert 0
    def test_skips(): pytest.skip("not here")
    @pytest.mark.xfail
    def test_xfails(): assert 0
    @pytest.mark.xfail
    def test_xpasses(): ...
    @pytest.mark.xfail(strict=True)
    def test_xpasses_strictly(): ...
    @pytest.mark.unknown_mark
    class TestOld(unittest.TestCase):
        @unittest.expectedFailure
        def test_old(self): assert 0
        @unittest.skip("old")
        def test_old_skip(self): ...
    """
CONFTEST = """
    import json
    def pytest_sessionfinish(session, exitstatus):
        if not hasattr(session.config, "workerinput"):
            print("\\nTOLD", json.dumps([int(exitstatus), session.testsfailed, session.testscollected]))
    """


def plain_pytest(folder: Path, *argv: str) -> str:
    """What pytest itself prints over a folder."""
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", *argv]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def printed(shim: Shim) -> str:
    """What the session of allocation "A" printed so far."""
    return "".join(message["data"] for message in shim.all("log", slot=-1))


def last_line(text: str) -> str:
    """The counts of a session, its seconds left out."""
    found = [line for line in text.splitlines() if re.search(r" in [0-9.]+s", line)]
    return re.sub(r" in [0-9.]+s.*| *=+ *", "", found[-1])


def told(text: str) -> list[int]:
    """What the hook of CONFTEST printed."""
    return json.loads(re.findall(r"TOLD (\[.*\])", text)[-1])


def test_the_session_ends_with_the_counts_that_pytest_itself_has(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path, test_a=MIXED, conftest=CONFTEST, test_b="import pytest\npytest.skip('all', allow_module_level=True)"
    )
    expected = plain_pytest(tmp_path)
    collected = shim.open(tmp_path, slots=2)
    cases = list(range(len(collected["cases"])))
    shim.run(0, 1, cases[::2])
    shim.finish(1, 2, cases[1::2])
    shim.op("finished", attempt=1)

    assert shim.close()["exit"] == 1
    assert last_line(printed(shim)) == last_line(expected)
    assert told(printed(shim)) == told(expected)
    assert "the reason" in printed(shim)
    assert "PytestUnknownMarkWarning: Unknown pytest.mark.unknown_mark" in printed(shim)
    assert "DeprecationWarning: number 1" in printed(shim)


def test_a_later_pytest_runs_what_failed_last(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a="import os\ndef test_0(): assert 0\ndef test_1(): ...\ndef test_2(): os._exit(3)")
    cache = tmp_path / ".pytest_cache" / "v" / "cache" / "lastfailed"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({"test_a.py::test_1": True, "test_gone.py::test": True}))
    shim.open(tmp_path)
    shim.finish(0, 1, [0, 1, 2])
    shim.close()

    failed = json.loads(cache.read_text())
    assert failed == {"test_a.py::test_0": True, "test_a.py::test_2": True, "test_gone.py::test": True}


def test_a_plugin_that_wants_every_report_gets_them_at_the_end(shim: Shim, tmp_path: Path) -> None:
    plugin = """
        import json
        seen = []
        def pytest_runtest_logreport(report):
            seen.append((report.nodeid, report.when, report.outcome, report.user_properties))
        def pytest_terminal_summary(config):
            print("SEEN", json.dumps(seen))
        """
    suite(tmp_path, conftest=plugin, test_a="def test(record_property): record_property('a', 1)")
    shim.open(tmp_path)
    shim.finish(0, 1, [0])
    shim.close()

    phases = [["test_a.py::test", when, "passed"] for when in ("setup", "call", "teardown")]
    seen = json.loads(re.findall(r"SEEN (.*)", printed(shim))[-1])
    assert [each[:3] for each in seen] == phases
    assert seen[1][3] == [["a", 1]]


def test_going_on_after_errors_may_stand_in_the_configuration(shim: Shim, tmp_path: Path) -> None:
    ini = "[pytest]\naddopts = --continue-on-collection-errors\n"
    suite(tmp_path, pytest_ini=ini, test_a="import nothing_of_this_name", test_b="def test(): ...")
    collected = shim.open(tmp_path)
    results, _ = shim.finish(0, 1, [0])

    assert (collected["go_on"], len(collected["errors"]), len(collected["cases"])) == (True, 1, 1)
    assert results[0]["outcome"] == "passed"
    assert shim.close()["exit"] == 1
