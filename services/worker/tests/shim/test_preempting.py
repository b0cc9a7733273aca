"""What a slot does when it is told that it is given to more urgent work soon."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, pause, suite

CONFTEST = """
    import pathlib, pytest

    def pytest_crossfleet_checkpoint(item, seconds):
        pathlib.Path("told").write_text("%s %g" % (item.name, seconds))
        what = pathlib.Path("what").read_text() if pathlib.Path("what").exists() else ""
        if what == "raise":
            raise RuntimeError("a hook that fails")
        if what == "exit":
            pytest.exit("saved")
    """
SUITE = """
    import pathlib, time, pytest

    def begin(name):
        pathlib.Path("began-" + name).touch()

    def told():
        while not pathlib.Path("told").exists():
            time.sleep(0.002)

    def test_passes(): begin("passes"); told()
    def test_next(): begin("next")
    def test_fails(): begin("fails"); told(); assert 0, "saved"
    def test_leaves(): begin("leaves"); told(); pytest.exit("saved")
    def test_lasts():
        begin("lasts")
        told()
        time.sleep(60)
    def test_skips(): begin("skips"); told(); pytest.skip("saved")
    """


def begin(shim: Shim, folder: Path, cases: list[int], name: str) -> None:
    """Execute cases on slot 0, of which the one of that name is in flight; others wait behind it."""
    shim.open(suite(folder, conftest=CONFTEST, test_a=SUITE))
    shim.run(0, 1, cases, last=False)
    shim.run(0, 2, [1])
    while not (folder / f"began-{name}").exists():
        pause()


def preempt(shim: Shim) -> None:
    shim.send(op="preempt", allocation="A", seconds=7.5)


def test_the_case_in_flight_is_told_how_long_it_has_and_counts_when_it_passes(shim: Shim, tmp_path: Path) -> None:
    begin(shim, tmp_path, [0, 1], "passes")
    preempt(shim)

    assert shim.op("finished", attempt=2) | {"sequence": 0} == {
        "op": "finished",
        "attempt": 2,
        "cause": "preempted",
        "message": "",
        "peak_memory_bytes": 0,
        "left": [1],
        "sequence": 0,
    }
    ended = shim.op("finished", attempt=1)
    assert (ended["cause"], ended["left"]) == ("preempted", [1])
    assert (tmp_path / "told").read_text() == "test_passes 7.5"
    assert [one["outcome"] for one in shim.all("result")] == ["passed"]
    shim.run(0, 3, [1])
    assert shim.op("finished", attempt=3)["left"] == [1]
    assert shim.close()["cause"] == "done"


def test_a_slot_that_waits_for_what_follows_its_case_gives_it_back_at_once(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, conftest=CONFTEST, test_a=SUITE))
    shim.run(0, 1, [1, 4], last=False)
    shim.op("result", case=1)
    preempt(shim)

    ended = shim.op("finished", attempt=1)
    assert (ended["cause"], ended["left"]) == ("preempted", [4])
    assert shim.close()["cause"] == "done"
    assert not (tmp_path / "began-lasts").exists()


@pytest.mark.parametrize("cases", [[1, 0], [0, 1], [1, 1, 0]])
def test_whatever_a_slot_does_at_that_moment_no_case_is_lost_or_ended_before_its_time(
    shim: Shim, tmp_path: Path, cases: list[int]
) -> None:
    """Sent at once, when the slot's process is hardly there; a case that begins all the same is told, and passes."""
    shim.open(suite(tmp_path, conftest=CONFTEST, test_a=SUITE))
    shim.run(0, 1, cases)
    preempt(shim)

    ended = shim.op("finished", attempt=1)
    shown = [one["case"] for one in shim.all("result")]
    assert [one["outcome"] for one in shim.all("result")] == ["passed"] * len(shown)
    assert shown + ended.get("left", []) == cases
    assert shim.close()["cause"] == "done"


@pytest.mark.parametrize(
    ("case", "name", "hook"), [(2, "fails", ""), (3, "leaves", ""), (4, "lasts", "exit"), (5, "skips", "")]
)
def test_a_case_that_ends_early_since_it_was_told_has_shown_nothing(
    shim: Shim, tmp_path: Path, case: int, name: str, hook: str
) -> None:
    (tmp_path / "what").write_text(hook)
    begin(shim, tmp_path, [case, 1], name)
    preempt(shim)

    ended = shim.op("finished", attempt=1)
    assert (ended["cause"], ended["left"]) == ("preempted", [case, 1])
    assert shim.all("result") == []
    closed = shim.close()
    assert (closed["cause"], closed["exit"]) == ("done", 0)
    assert not (tmp_path / "began-next").exists()


def test_a_case_that_goes_on_for_too_long_is_cancelled_and_a_hook_that_fails_fails_no_case(
    shim: Shim, tmp_path: Path
) -> None:
    (tmp_path / "what").write_text("raise")
    begin(shim, tmp_path, [4, 1], "lasts")
    preempt(shim)
    shim.wait(lambda message: message["op"] == "log" and "a hook that fails" in message["data"])
    assert shim.op("finished", attempt=2)["left"] == [1]
    shim.send(op="close", allocation="A")

    ended = shim.op("finished", attempt=1)
    assert (ended["cause"], ended["left"]) == ("preempted", [4, 1])
    assert shim.op("closed")["cause"] == "done"


def test_a_suite_that_knows_of_no_hook_goes_on_to_the_end_of_its_case(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=SUITE.replace('"told"', '"go"')))
    shim.run(0, 1, [0, 1])
    while not (tmp_path / "began-passes").exists():
        pause()
    preempt(shim)
    (tmp_path / "go").touch()
    ended = shim.op("finished", attempt=1)
    assert (ended["cause"], ended["left"]) == ("preempted", [1])
    assert [one["outcome"] for one in shim.all("result")] == ["passed"]


HANDLES = """
import pathlib, signal, sys, time
def save(number, frame):
    pathlib.Path("saved").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
"""
WAITS = """
pathlib.Path("begun").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.002)
"""


def begin_command(shim: Shim, folder: Path, code: str) -> None:
    (folder / "command.py").write_text(code)
    shim.open(folder, "sh", "-c", f"{sys.executable} command.py; exit $?", runner="command")
    shim.run(0, 1, [0])
    shim.run(0, 2, [0])
    while not (folder / "begun").exists():
        pause()
    preempt(shim)
    assert shim.op("finished", attempt=2)["cause"] == "preempted"


def test_a_command_that_handles_sigterm_gets_it_and_has_shown_nothing_then(shim: Shim, tmp_path: Path) -> None:
    begin_command(shim, tmp_path, HANDLES + WAITS)
    ended = shim.op("finished", attempt=1)
    assert (ended["cause"], ended["left"], shim.all("result")) == ("preempted", [0], [])
    assert (tmp_path / "saved").exists()
    shim.run(0, 3, [0])
    assert shim.op("finished", attempt=3)["left"] == [0]
    assert shim.close()["cause"] == "done"


def test_a_command_that_does_not_handle_it_goes_on_and_counts_when_it_ends_in_time(shim: Shim, tmp_path: Path) -> None:
    begin_command(shim, tmp_path, "import pathlib, time" + WAITS)
    (tmp_path / "go").touch()
    assert shim.op("finished", attempt=1)["cause"] == "done"
    assert [one["outcome"] for one in shim.all("result")] == ["passed"]
