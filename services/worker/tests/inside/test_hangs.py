"""What is told of a case, or of what surrounds it, that does not come to an end."""

from __future__ import annotations

import signal
from pathlib import Path

from services.worker.tests.shim.driver import Shim, pause, suite

FAMILY = """
    import os, subprocess, sys, time
    def in_the_child():
        time.sleep(300)
    def test_waits_for_children():
        if os.fork() == 0:
            in_the_child()
        subprocess.run([sys.executable, "-c", "import time; time.sleep(301)"])
    """


def test_a_time_limit_shows_the_stacks_of_the_case_and_of_its_children(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=FAMILY), limits={"case_seconds": 1.5, "grace_seconds": 0.5})
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "timed_out"
    details = results[0]["details"]
    assert "test_waits_for_children" in details
    assert "in_the_child" in details.partition("Stacks of its child")[2]
    assert "time.sleep(301)" in details
    assert "s of CPU in" in details


def test_a_session_fixture_that_hangs_at_its_end_is_named(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import pytest, time
        @pytest.fixture(scope="session", autouse=True)
        def service():
            yield
            time.sleep(300)
        def test_0(): ...
        """,
    )
    shim.open(tmp_path, limits={"case_seconds": 0.5, "grace_seconds": 0.5})
    results, _ = shim.finish(0, 1, [0])
    assert results[0]["outcome"] == "timed_out"
    assert "in service" in results[0]["details"]


def test_an_exit_handler_that_hangs_is_ended_and_stands_in_the_log(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import atexit, time
        def never_ends(): time.sleep(300)
        def test_0(): atexit.register(never_ends)
        """,
    )
    shim.open(tmp_path)
    results, finished = shim.finish(0, 1, [0])
    assert (results[0]["outcome"], finished["cause"]) == ("passed", "done")
    assert shim.close()["cause"] == "done"
    said = "".join(message["data"] for message in shim.all("log", slot=0))
    assert "did not end when nothing was left for it" in said
    assert "never_ends" in said


def test_a_cancelled_slot_is_not_called_late(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a="import time\ndef test_0(): ...\ndef test_1(): time.sleep(300)"))
    shim.run(0, 1, [0, 1])
    shim.op("started", case=1)
    shim.send(op="cancel", attempts=[1], grace=1)
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    shim.close()
    assert not [message for message in shim.all("log", slot=0) if "crossfleet" in message["data"]]


def test_a_session_that_hangs_at_its_end_says_where(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import time
        def pytest_sessionfinish(): time.sleep(300)
        """,
        test_a="def test_0(): ...",
    )
    shim.open(tmp_path, limits={"grace_seconds": 0.3})
    shim.finish(0, 1, [0])
    closed = shim.close()
    assert "did not end within 1.2 s" in closed["message"]
    assert "pytest_sessionfinish" in closed["message"]
    assert closed["session_status"] == 128 + signal.SIGTERM


def test_a_slot_that_does_not_come_up_is_a_fault_of_the_environment_with_its_stacks(shim: Shim, tmp_path: Path) -> None:
    suite(tmp_path, conftest="import numpy.random", test_a="def test_0(): ...")
    suite(tmp_path / "numpy", __init__="", random="import time\ndef seed(n): time.sleep(300)")
    shim.open(tmp_path, as_module=True, limits={"birth_seconds": 1.0, "grace_seconds": 0.2})
    results, finished = shim.finish(0, 1, [0])
    assert (results, finished["cause"], finished["left"]) == ([], "environment", [0])
    assert finished["message"].startswith("the slot's process did not come up within 1 s")
    assert "in seed" in finished["message"]


def test_a_zygote_that_hangs_while_it_forks_ends_the_allocation_with_its_stacks(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import os, time
        def before_a_fork(): time.sleep(300)
        os.register_at_fork(before=before_a_fork)
        """,
        test_a="def test_0(): ...",
    )
    shim.open(tmp_path, limits={"birth_seconds": 1.0, "grace_seconds": 0.2})
    _, finished = shim.finish(0, 1, [0])
    assert finished["cause"] == "environment"
    closed = shim.op("closed")
    assert "forked no slot within 1 s" in closed["message"]
    assert "before_a_fork" in closed["message"]


RUNNING = """
    import time, ctypes, os
    def test_goes_on():
        print("so far", flush=True)
        while not os.path.exists("go"): time.sleep(0.01)
        print("further", flush=True)
        while not os.path.exists("die"): time.sleep(0.01)
        ctypes.string_at(0)
    """


def test_a_running_case_can_be_looked_into_without_disturbing_it(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=RUNNING))
    shim.run(0, 1, [0])
    shim.op("started", case=0)
    shim.send(op="inspect", request=1, attempts=[1, 77], stacks=True, places=[0, 0])
    answer = shim.op("inspected", request=1, attempt=1)
    assert "test_goes_on" in answer["stacks"]
    assert (answer["case"], answer["output"][0]) == (0, [7, "so far\n"])
    assert "case" not in shim.op("inspected", request=1, attempt=77)
    (tmp_path / "go").touch()
    request = 1
    while True:
        request += 1
        shim.send(op="inspect", request=request, attempts=[1], places=[7, 0])
        answer = shim.op("inspected", request=request)
        if answer["output"][0][1]:
            break
        pause()
    assert answer["output"][0] == [15, "further\n"]
    assert "stacks" not in answer
    (tmp_path / "die").touch()
    result = shim.op("result")
    assert result["details"].count("test_goes_on") == 1
    assert "Segmentation fault" in result["details"]
