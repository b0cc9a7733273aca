"""The shim outlives its agent, loses no result, and ends when nobody wants it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from services.worker.tests.shim.driver import PATIENCE, Shim, gone, pause, suite

SLOW = """
    import os, pathlib, time
    def test_0(): pathlib.Path("pid").write_text(str(os.getpid()))
    def test_waits():
        while not pathlib.Path("go").exists(): time.sleep(0.01)
    def test_2(): ...
    """


def test_a_running_case_goes_on_while_no_agent_is_there(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a=SLOW))
    shim.acknowledge = False
    shim.run(0, 7, [0, 1, 2])
    shim.op("started", case=1)
    shim.detach()
    attached = shim.attach()
    allocation = attached["allocations"][0]
    assert (allocation["allocation"], allocation["runner"], allocation["state"]) == ("A", "pytest", "ready")
    attempt = allocation["slots"][0]["attempts"][0]
    assert 0 < time.time() - attempt.pop("since") < 30
    assert attempt == {"attempt": 7, "pending": [1, 2], "current": 1}
    shim.detach()
    (tmp_path / "go").touch()
    shim.messages.clear()
    attached = shim.attach()
    shim.op("finished", attempt=7)
    assert [m["case"] for m in shim.all("result")] == [0, 1, 2]
    assert attached["first_sequence"] == 1


def test_unacknowledged_records_come_again_in_order_and_acknowledged_ones_do_not(shim: Shim, tmp_path: Path) -> None:
    shim.open(suite(tmp_path, test_a="import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test(n): ..."))
    shim.acknowledge = False
    shim.finish(0, 1, list(range(30)))
    shim.send(op="ack", sequence=10)
    shim.send(op="collection", allocation="A")
    shim.wait(lambda m: m["op"] == "collected", fresh=True)
    shim.messages.clear()
    attached = shim.attach()
    assert (attached["first_sequence"], attached["next_sequence"]) == (11, 32)
    shim.op("finished")
    assert [m["sequence"] for m in shim.messages if "sequence" in m] == list(range(11, 32))


def test_a_second_agent_takes_the_first_ones_place(shim: Shim) -> None:
    first = shim._socket
    shim._socket = None
    attached = shim.attach()
    assert attached["allocations"] == []
    assert first is not None
    first.settimeout(PATIENCE)
    assert first.recv(1 << 16) == b""
    first.close()


def test_the_results_of_a_shim_that_was_killed_are_offered_by_the_next(state: Path, tmp_path: Path) -> None:
    shim = Shim(state)
    shim.attach()
    shim.acknowledge = False
    shim.open(suite(tmp_path, test_a="def test_0(): ...\ndef test_1(): ..."))
    shim.finish(0, 5, [0, 1])
    boot = shim.op("attached")["boot"]
    shim.process.kill()
    shim.end()
    again = Shim(state)
    attached = again.attach()
    assert attached["boot"] != boot
    assert again.op("finished", attempt=5)["sequence"] == 3
    assert [m["case"] for m in again.all("result")] == [0, 1]
    assert again.end() == 0


def test_it_ends_with_everything_below_it_when_its_lifeline_ends(state: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    shim = Shim(state, "--lifeline-fd", str(reader), pass_fds=(reader,))
    os.close(reader)
    shim.attach()
    shim.open(suite(tmp_path, test_a=SLOW))
    shim.run(0, 1, [0, 1])
    shim.op("started", case=1)
    os.close(writer)
    assert shim.process.wait(PATIENCE) == 0
    assert gone(int((tmp_path / "pid").read_text()))
    shim.end()


def test_it_ends_itself_when_nobody_claims_it_within_its_grace(state: Path) -> None:
    shim = Shim(state, "--grace", "0.2")
    assert shim.process.wait(PATIENCE) == 0
    assert not (state / "shim.sock").exists()
    shim.end()


def test_sigterm_ends_it_and_its_runners(state: Path, tmp_path: Path) -> None:
    shim = Shim(state)
    shim.attach()
    shim.open(suite(tmp_path, test_a=SLOW))
    shim.run(0, 1, [0, 1])
    shim.op("started", case=1)
    shim.process.send_signal(signal.SIGTERM)
    assert shim.process.wait(PATIENCE) == 0
    assert gone(int((tmp_path / "pid").read_text()))
    shim.end()


def test_a_case_that_never_ends_does_not_outlive_a_shim_that_was_killed(state: Path, tmp_path: Path) -> None:
    shim = Shim(state)
    shim.attach()
    shim.open(suite(tmp_path, test_a=SLOW))
    shim.run(0, 1, [0, 1])
    shim.op("started", case=1)
    shim.process.kill()
    assert gone(int((tmp_path / "pid").read_text()))
    shim.end()


def test_one_folder_has_one_shim(shim: Shim, state: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "crossfleet.worker.shim", "--state", str(state)]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 3
    assert "belongs to a shim that is alive" in second.stderr


def test_wrong_orders_are_refused_by_name_and_break_nothing(shim: Shim) -> None:
    shim.send(op="run", allocation="B", slot=0, attempt=3, cases=[1])
    finished = shim.op("finished", attempt=3)
    assert (finished["cause"], finished["left"]) == ("environment", [1])
    shim.send(op="nonsense")
    assert "nonsense" in shim.op("refused")["message"]
    shim.send_bytes(b"no json\n")
    shim.wait(lambda m: m["op"] == "refused" and "JSON" in m["message"])
    shim.send(op="open", allocation="C", runner="ruby")
    shim.wait(lambda m: m["op"] == "refused" and "ruby" in m["message"])
    shim.send(op="open", allocation="C", runner="pytest")
    shim.wait(lambda m: m["op"] == "refused" and "env" in m["message"])


def test_the_death_of_the_zygote_ends_its_attempts_as_a_fault_of_the_environment(shim: Shim, tmp_path: Path) -> None:
    suite(
        tmp_path,
        test_a="""
        import os, signal, time
        ZYGOTE = os.getpid()
        def test_0():
            os.kill(ZYGOTE, signal.SIGKILL)
            time.sleep(300)
        def test_1(): ...
        """,
    )
    shim.open(tmp_path)
    shim.run(0, 1, [0, 1])
    closed = shim.op("closed")
    assert closed["cause"] == "failed"
    assert "SIGKILL" in closed["message"]
    assert shim.op("finished", attempt=1)["cause"] == "environment"
    shim.run(0, 2, [1])
    assert shim.op("finished", attempt=2)["cause"] == "environment"


def test_an_idle_shim_is_small(shim: Shim) -> None:
    status = Path(f"/proc/{shim.process.pid}/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0])
    assert resident < 20 * 1024


def test_a_full_journal_pauses_the_runners_until_it_is_acknowledged(state: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from crossfleet.worker.shim import journal; from crossfleet.worker.shim.main import main; "
        "journal.Journal.__init__.__defaults__ = (65536, 200_000); "
        "journal.Journal.__init__.__kwdefaults__ = None; main(['--state', sys.argv[1]])"
    )
    shim = Shim.__new__(Shim)
    shim.adopt(state, subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE))
    shim.attach()
    shim.acknowledge = False
    suite(
        tmp_path,
        test_a="import pytest\n@pytest.mark.parametrize('n', range(300))\ndef test(n): print('z' * 10_000)",
    )
    shim.open(tmp_path)
    shim.run(0, 1, list(range(300)))
    shim.wait(lambda m: m.get("sequence") == 15)
    counted = -1
    while counted != len(shim.messages):
        counted = len(shim.messages)
        try:
            shim.wait(lambda m: m["op"] == "finished", fresh=True, patience=0.5)
        except AssertionError:
            continue
    assert counted < 150
    shim.acknowledge = True
    shim.send(op="ack", sequence=max(m.get("sequence", 0) for m in shim.messages))
    assert shim.op("finished")["cause"] == "done"
    assert len(shim.all("result")) == 300
    shim.end()


def test_a_line_that_never_ends_closes_the_connection_only(shim: Shim) -> None:
    chunk = b"x" * (1 << 20)
    closed = False
    for _ in range(40):
        try:
            shim.send_bytes(chunk)
        except OSError:
            closed = True
            break
        pause(0.001)
    assert closed
    assert json.dumps(shim.attach()["allocations"]) == "[]"
