"""Single slots are given back while others of their allocation go on."""

from __future__ import annotations

import sys
from pathlib import Path

from services.worker.tests.shim.driver import Shim, gone, suite
from services.worker.tests.shim.test_programs import fake, opened

GATED = """
    import os, pathlib, time

    def test_waits():
        while not pathlib.Path("gate").exists():
            time.sleep(0.01)

    def test_quick():
        pathlib.Path("pid").write_text(str(os.getpid()))
"""


def give_back(shim: Shim, *slots: int) -> None:
    shim.send(op="close_slots", allocation="A", slots=list(slots))


def test_a_slot_goes_and_the_case_on_another_one_goes_on(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a=GATED)
    shim.open(tmp_path, slots=3)
    shim.run(0, 1, [0])
    shim.finish(1, 2, [1])

    give_back(shim, 1, 2)

    shim.op("slots_closed", slots=[1])
    shim.op("slots_closed", slots=[2])
    assert gone(int((tmp_path / "pid").read_text()))
    assert [slot["slot"] for slot in shim.attach()["allocations"][0]["slots"]] == [0]
    (tmp_path / "gate").touch()
    assert shim.op("finished", attempt=1)["cause"] == "done"
    assert shim.close()["cause"] == "done"


def test_an_allocation_whose_slots_were_all_given_back_still_ends(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a=GATED)
    shim.open(tmp_path, slots=2)
    give_back(shim, 0, 1)
    shim.op("slots_closed", slots=[1])
    assert shim.close()["cause"] == "done"


def test_a_slot_is_not_called_gone_before_its_process_has_ended(shim: Shim, tmp_path: Path) -> None:
    text = """
        import atexit, os, pathlib, time

        def at_exit():
            time.sleep(0.5)
            pathlib.Path("left").write_text(str(os.getpid()))

        def test_waits():
            while not pathlib.Path("gate").exists():
                time.sleep(0.01)

        def test_quick():
            pathlib.Path("pid").write_text(str(os.getpid()))
            atexit.register(at_exit)
        """
    suite(tmp_path, test_a=text)
    shim.open(tmp_path, slots=2, limits={"grace_seconds": 5})
    shim.run(0, 1, [0])
    shim.finish(1, 2, [1])

    give_back(shim, 1)

    shim.op("slots_closed", slots=[1])
    assert (tmp_path / "left").read_text() == (tmp_path / "pid").read_text()
    (tmp_path / "gate").touch()
    shim.op("finished", attempt=1)


def test_a_process_that_does_not_end_is_ended_within_the_grace(shim: Shim, tmp_path: Path) -> None:
    text = """
        import atexit, os, pathlib, time

        def test_waits():
            while not pathlib.Path("gate").exists():
                time.sleep(0.01)

        def test_quick():
            pathlib.Path("pid").write_text(str(os.getpid()))
            atexit.register(time.sleep, 600)
        """
    suite(tmp_path, test_a=text)
    shim.open(tmp_path, slots=2, limits={"grace_seconds": 0.4})
    shim.run(0, 1, [0])
    shim.finish(1, 2, [1])

    give_back(shim, 1)

    shim.op("slots_closed", slots=[1])
    assert gone(int((tmp_path / "pid").read_text()), patience=0.1)
    (tmp_path / "gate").touch()
    shim.op("finished", attempt=1)


def test_what_was_given_back_before_is_told_again(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, test_a=GATED)
    shim.open(tmp_path, slots=2)
    shim.run(0, 1, [0])
    give_back(shim, 1)
    shim.op("slots_closed", slots=[1])
    shim.messages.clear()

    give_back(shim, 1)

    shim.op("slots_closed", slots=[1])
    (tmp_path / "gate").touch()
    assert shim.op("finished", attempt=1)["cause"] == "done"


def test_failures_of_a_slot_that_has_gone_still_count_for_its_session(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import pathlib
        def pytest_sessionfinish(session, exitstatus):
            pathlib.Path("status").write_text(f"{int(exitstatus)} {session.testsfailed}")
        """,
        test_a=GATED + "\n    def test_fails():\n        assert 0\n",
    )
    shim.open(tmp_path, slots=2)
    shim.run(0, 1, [0])
    shim.finish(1, 2, [2])
    give_back(shim, 1)
    shim.op("slots_closed", slots=[1])
    (tmp_path / "gate").touch()
    shim.op("finished", attempt=1)
    shim.close()

    assert (tmp_path / "status").read_text() == "1 1"


def test_slots_of_programs_and_commands_are_given_back_too(shim: Shim, tmp_path: Path) -> None:
    waits = "import pathlib\n    while name == 'a' and not pathlib.Path('gate').exists(): time.sleep(0.01)"
    opened(shim, tmp_path, fake(tmp_path, "a b", body=waits), slots=2)
    shim.run(0, 1, [0])
    shim.finish(1, 2, [1])
    give_back(shim, 1)
    shim.op("slots_closed", allocation="A", slots=[1])
    (tmp_path / "gate").touch()
    assert shim.op("finished", attempt=1)["cause"] == "done"
    shim.close()

    sleeps = f"import os, pathlib, time\nwhile not pathlib.Path('{tmp_path}/end').exists(): time.sleep(0.01)"
    shim.messages.clear()
    shim.open(tmp_path, sys.executable, "-c", sleeps, runner="command", slots=2)
    shim.run(0, 3, [0])
    give_back(shim, 1)
    shim.op("slots_closed", allocation="A", slots=[1])
    (tmp_path / "end").touch()
    assert shim.op("finished", attempt=3)["cause"] == "done"
