"""Cases that take their process with them, hang, or want everything to stop."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim, gone, pause, suite

FATAL = """
    import ctypes, os, signal, pytest
    def test_0(): ...
    def test_exits():
        print("last words", flush=True)
        os._exit(1)
    def test_2(): ...
    def test_segfaults():
        ctypes.string_at(0)
    def test_4(): ...
    def test_kills_itself():
        os.kill(os.getpid(), signal.SIGKILL)
    def test_6(): ...
    """


def test_the_case_that_died_is_named_and_the_others_still_run(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=FATAL))
    results, finished = shim.finish(0, 1, [0, 1, 2, 3])
    assert [(r["case"], r["outcome"]) for r in results] == [(0, "passed"), (1, "crashed")]
    assert "exited with status 1" in results[1]["message"]
    assert "last words" in results[1]["sections"][0][1]
    assert (finished["cause"], finished["left"]) == ("crashed", [2, 3])
    results, finished = shim.finish(0, 2, [2, 3, 4])
    assert [(r["case"], r["outcome"]) for r in results] == [(2, "passed"), (3, "crashed")]
    assert results[1]["signal"] == 11
    assert "Segmentation fault" in results[1]["details"]
    assert "test_segfaults" in results[1]["details"]
    assert finished["left"] == [4]
    results, finished = shim.finish(0, 3, [4, 5, 6])
    assert results[-1]["signal"] == 9
    assert finished["left"] == [6]
    results, finished = shim.finish(0, 4, [6])
    assert (results[0]["outcome"], finished["cause"]) == ("passed", "done")


def test_a_second_task_survives_the_crash_of_the_first(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=FATAL))
    shim.run(0, 1, [0, 1, 2], last=False)
    shim.run(0, 2, [4, 6], last=True)
    assert shim.op("finished", attempt=1)["left"] == [2]
    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert [(r["case"], r["outcome"]) for r in shim.all("result", attempt=2)] == [(4, "passed"), (6, "passed")]


def test_a_single_case_behind_a_crash_still_asks_what_follows(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=FATAL))
    shim.run(0, 1, [1, 2], last=False)
    shim.run(0, 2, [4], last=False)
    assert shim.op("finished", attempt=1)["left"] == [2]
    shim.wait(lambda _: len(shim.all("want", slot=0)) == 2)
    shim.send(op="last", allocation="A", slot=0)
    assert shim.op("finished", attempt=2)["cause"] == "done"


HANGING = """
    import signal, time, threading, pytest
    def test_0(): ...
    def test_hangs():
        threading.Event().wait(300)
    def test_stubborn():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(300)
    def test_3(): ...
    """


def test_a_hanging_case_times_out_with_its_stacks(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=HANGING), limits={"case_seconds": 0.5, "grace_seconds": 0.5})
    results, finished = shim.finish(0, 1, [0, 1, 3])
    assert [(r["case"], r["outcome"]) for r in results] == [(0, "passed"), (1, "timed_out")]
    assert results[1]["message"] == "exceeded the time limit of 0.5 s"
    assert "test_hangs" in results[1]["details"]
    assert finished["left"] == [3]


def test_a_case_that_ignores_sigterm_is_killed_after_grace(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=HANGING), limits={"grace_seconds": 0.3})
    results, _ = shim.finish(0, 1, [2, 3], case_seconds={"2": 0.4})
    assert (results[0]["outcome"], results[0]["signal"]) == ("timed_out", 9)


def test_a_short_limit_holds_behind_a_case_with_a_long_one(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=HANGING), limits={"grace_seconds": 0.3})
    results, _ = shim.finish(0, 1, [0, 2, 3], case_seconds={"0": 200, "2": 0.4})
    assert [r["outcome"] for r in results] == ["passed", "timed_out"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("pytest.exit('enough', returncode=7)", "enough"),
    ],
)
def test_a_case_that_stops_the_session_is_an_error_and_says_so(
    shim: Shim, tmp_path: Path, body: str, word: str
) -> None:
    suite(
        tmp_path,
        test_a=f"""
        import pytest
        @pytest.fixture(scope="session", autouse=True)
        def thing(request):
            yield
            open("torn-down", "w").close()
        def test_0(): ...
        def test_stops():
            {body}
        def test_2(): ...
        """,
    )
    shim.open(tmp_path)
    results, finished = shim.finish(0, 1, [0, 1, 2])
    assert [r["outcome"] for r in results] == ["passed", "error"]
    assert word in results[1]["message"]
    assert word in finished["stop"]
    assert finished["left"] == [2]
    assert (tmp_path / "torn-down").exists()
    results, _ = shim.finish(0, 2, [2])
    assert results[0]["outcome"] == "passed"


def test_cancel_stops_the_case_in_flight_and_gives_it_no_result(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import time, pytest
        @pytest.fixture(scope="session", autouse=True)
        def thing():
            yield
            open("torn-down", "w").close()
        def test_0(): ...
        def test_sleeps():
            open("asleep", "w").close()
            time.sleep(300)
        def test_2(): ...
        """,
    )
    shim.open(tmp_path)
    shim.run(0, 1, [0, 1, 2], last=False)
    shim.run(0, 2, [2], last=True)
    shim.op("started", case=1)
    shim.send(op="cancel", attempts=[1], grace=5)
    finished = shim.op("finished", attempt=1)
    assert (finished["cause"], finished["left"]) == ("cancelled", [1, 2])
    assert [r["case"] for r in shim.all("result", attempt=1)] == [0]
    assert shim.op("finished", attempt=2)["cause"] == "done"
    assert (tmp_path / "torn-down").exists()


def test_cancel_of_a_task_that_has_not_begun_leaves_the_one_before_alone(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a="import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test(n): ..."))
    shim.run(0, 1, [0, 1, 2], last=False)
    shim.op("result", case=1)
    shim.run(0, 2, [3, 4], last=False)
    shim.send(op="cancel", attempts=[2], grace=1)
    cancelled = shim.op("finished", attempt=2)
    shim.send(op="last", allocation="A", slot=0)
    assert cancelled["cause"] == "cancelled"
    assert shim.op("finished", attempt=1)["cause"] == "done"


def test_what_a_slot_left_behind_is_killed_with_it(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os, subprocess, sys, pathlib
        def test_leaves_children():
            sleeper = [sys.executable, "-c", "import time; time.sleep(300)"]
            pids = [subprocess.Popen(sleeper).pid, subprocess.Popen(sleeper, start_new_session=True).pid]
            script = ("import subprocess, sys; "
                      "print(subprocess.Popen(%r, start_new_session=True, stdout=2).pid)" % sleeper)
            pids.append(int(subprocess.check_output([sys.executable, "-c", script])))
            pathlib.Path("pids").write_text(" ".join(map(str, pids)))
        """,
    )
    shim.open(tmp_path)
    shim.finish(0, 1, [0])
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_a_fork_that_returns_into_pytest_reports_nothing(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os
        def test_forks():
            pid = os.fork()
            if pid: os.waitpid(pid, 0)
        def test_1(): ...
        """,
    )
    shim.open(tmp_path)
    results, finished = shim.finish(0, 1, [0, 1])
    assert [(r["case"], r["outcome"]) for r in results] == [(0, "passed"), (1, "passed")]
    assert finished["cause"] == "done"


def test_close_ends_a_running_case_within_grace(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=HANGING))
    shim.run(0, 1, [2])
    shim.op("started", case=2)
    began = time.monotonic()
    assert shim.close()["cause"] == "done"
    assert shim.op("finished", attempt=1)["cause"] == "cancelled"
    assert time.monotonic() - began < 10


def test_a_suite_that_asks_for_a_stop_is_heard_after_the_case(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        def test_0(request): request.session.shouldstop = "disk is getting low"
        def test_1(): ...
        """,
    )
    shim.open(tmp_path)
    results, finished = shim.finish(0, 1, [0, 1])
    assert [r["outcome"] for r in results] == ["passed"]
    assert (finished["stop"], finished["left"]) == ("disk is getting low", [1])


@pytest.mark.parametrize(
    ("hook", "body", "status"),
    [
        ("pytest_sessionfinish", "raise RuntimeError('over')", 1),
        ("pytest_sessionfinish", "raise SystemExit(3)", 3),
        ("pytest_sessionfinish", "__import__('os')._exit(9)", 9),
        ("pytest_sessionfinish", "raise SystemExit(0)", None),
        ("pytest_sessionfinish", "__import__('os').kill(__import__('os').getpid(), 11)", 139),
        ("pytest_unconfigure", "raise SystemExit('over')", 1),
        ("pytest_unconfigure", "pass", None),
    ],
)
def test_a_session_that_breaks_at_its_end_has_failed_as_it_does_for_pytest(
    shim: Shim, tmp_path: Path, hook: str, body: str, status: int | None
) -> None:
    shim.open(suite(tmp_path, conftest=f"def {hook}():\n    {body}\n", test_a="def test_0(): ..."))
    shim.finish(0, 1, [0])
    closed = shim.close()
    assert (closed["cause"], closed.get("session_status")) == ("done", status)
    if "raise" in body and status:
        assert "over" in closed["message"] or "SystemExit: 3" in closed["message"]


def test_a_session_that_collects_too_late_to_be_needed_has_not_failed(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        conftest="""
        import pathlib, time
        pathlib.Path("collecting").touch()
        while not pathlib.Path("go_on").exists():
            time.sleep(0.001)
        """,
        test_a="def test_0(): ...",
    )
    shim.begin(tmp_path)
    while not (tmp_path / "collecting").exists():
        pause()
    shim.send(op="close", allocation="A")
    (tmp_path / "go_on").touch()
    closed = shim.op("closed")
    assert (closed["cause"], closed.get("session_status")) == ("done", None)
