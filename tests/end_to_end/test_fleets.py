from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from pathlib import Path

import pytest

from crossfleet.foundation import filesystems
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.wait import eventually
from tests.commands import Command
from tests.commands import crossfleet as started
from tests.end_to_end.standing import PYTEST, crossfleet, environment, up
from tests.faults.leftovers import all_gone, processes_of
from tests.integration.processes import start_service


@pytest.fixture
def suite(project: Path) -> Path:
    (project / "test_gate.py").write_text(
        "import pathlib, time\n"
        "def test_gate():\n"
        "    pathlib.Path('begun').touch()\n"
        "    deadline = time.monotonic() + 60\n"
        "    while not pathlib.Path('gate').exists():\n"
        "        assert time.monotonic() < deadline\n"
        "        time.sleep(0.01)\n"
        "def test_quick(): pass\n"
    )
    return project


async def test_a_second_run_joins_the_fleet_of_the_first_and_outlives_it(folder: Path, suite: Path) -> None:
    words = ("run", "--data", str(folder / "data"), "--slots", "2", "--")
    env = environment({"XDG_RUNTIME_DIR": str(folder)})
    async with started(*words, *PYTEST, cwd=suite, env=env) as first:
        await eventually((suite / "begun").exists, deadline=30)
        serving = processes_of(folder)
        async with started(*words, *PYTEST, "-k", "quick", cwd=suite, env=env) as second:
            assert second.process.stderr is not None
            assert b"joined the fleet" in await asyncio.wait_for(second.process.stderr.readline(), 30)
            (suite / "gate").touch()
            also = await second.finished()
        done = await first.finished()

    assert also.status == 0, also.text
    assert done.status == 0, done.text
    assert "2 cases, 2 passed" in done.out
    assert serving
    assert await all_gone(folder)


async def test_a_scheduler_that_nobody_runs_is_told_of_and_again_when_it_is_there(folder: Path) -> None:
    place = f"unix:{folder}/x"
    words = ("up", "--data", str(folder / "data"), "--scheduler", f"mine={place}")

    async def told(fleet: Command) -> str:
        assert fleet.process.stderr is not None
        return (await asyncio.wait_for(fleet.process.stderr.readline(), 30)).decode()

    async with started(*words, cwd=folder, env=environment({"XDG_RUNTIME_DIR": str(folder)})) as fleet:
        alone = "meanwhile the fleet's own decides for its groups\n"
        assert await told(fleet) == f"scheduler mine is out: there is nothing at {place}; {alone}"
        mine = await start_service("scheduler", "--listen", place, log=folder / "mine.log")
        assert await told(fleet) == "scheduler mine decides\n"
        await mine.end()
        assert (await told(fleet)).endswith(alone)
        fleet.signal(signal.SIGTERM)
        done = await fleet.finished()
    assert "scheduler mine=" in done.out


async def test_the_next_run_in_a_folder_is_executed_by_an_interpreter_that_waits_for_it(
    folder: Path, project: Path
) -> None:
    (project / "test_pid.py").write_text(
        "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\ndef test_quick(): pass\n"
    )

    def interpreters() -> list[int]:
        return list(processes_of(folder, "pytest_zygote.py"))

    with up(folder / "data", "--slots", "1") as fleet:
        first = fleet.run(*PYTEST, cwd=project)
        assert first.status == 0, first.text
        await eventually(lambda: bool(interpreters()), deadline=30)
        waiting = interpreters()
        second = fleet.run(*PYTEST, cwd=project)

    assert second.status == 0, second.text
    assert [int((project / "pid").read_text())] == waiting
    assert await all_gone(folder)


def test_a_data_folder_in_use_is_refused_with_who_uses_it(folder: Path) -> None:
    with up(folder / "data", "--slots", "1") as fleet:
        done = crossfleet("up", "--data", str(fleet.data), cwd=folder)

    assert done.status == 2, done.text
    assert str(fleet.process.pid) in done.err
    assert "--data" in done.err


def test_a_stale_lock_is_taken_over(folder: Path, suite: Path) -> None:
    with up(folder / "data", "--slots", "1") as fleet:
        fleet.process.kill()
        fleet.process.wait()
        assert (fleet.data / "fleet.json").exists(), "a killed fleet cannot tidy up"
        (suite / "gate").touch()

        done = crossfleet("run", "--data", str(fleet.data), "--", *PYTEST, cwd=suite)

    assert done.status == 0, done.text


def test_a_lock_that_another_program_holds_is_waited_for_with_a_bound(folder: Path) -> None:
    (folder / "data").mkdir(mode=0o700)
    with (folder / "data" / "fleet.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        done = crossfleet("up", "--data", str(folder / "data"), cwd=folder)

    assert done.status == 2, done.text
    assert "in use" in done.err


def test_a_data_folder_that_cannot_be_written_is_named(folder: Path, suite: Path) -> None:
    (folder / "file").write_text("")

    done = crossfleet("run", "--data", str(folder / "file" / "data"), "--", *PYTEST, cwd=suite)

    assert done.status == 2, done.text
    assert str(folder / "file") in done.err


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_sqlite_on_a_network_file_system_is_refused(folder: Path, kind: str) -> None:
    table = f"1 0 0:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / {folder} rw - {kind} server:/export rw\n"

    with pytest.raises(CrossfleetError) as refused:
        filesystems.refuse_network_filesystem(folder / "data", mount_table=table)

    assert str(folder) in str(refused.value)
    assert refused.value.metadata


def test_a_data_folder_may_have_a_longer_path_than_sockets_can(folder: Path, project: Path) -> None:
    (project / "test_it.py").write_text("import os\ndef test_quick(): pass\ndef test_dies(): os._exit(3)\n")
    data = folder / ("long" * 30) / ("longer" * 20)
    done = crossfleet("run", "--data", str(data), "--", *PYTEST, cwd=project)

    assert done.status == 1, done.text
    assert "2 cases, 1 passed, 1 crashed" in done.out
    assert (data / "workers" / "local" / "shim" / "journal").is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run",), "--"),
        (("run", "--maxfail", "some", "--", "pytest"), "some"),
        (("run", "--target", "nothing", "--", "pytest"), "NAME=VALUE"),
        (("run", "--matrix", "absent.toml", "--", "pytest"), "absent.toml"),
        (("run", "--requirements", "absent.txt", "--", "pytest"), "absent.txt"),
        (("run", "--memory-limit", "much", "--", "pytest"), "much"),
        (("run", "--workers", "9999", "--", "pytest"), "64"),
        (("run", "--", "/no/such/pytest"), "/no/such/pytest"),
        (("rum",), "run"),
        (("show",), "RUN"),
        (("up", "--tls-cert", "only.pem"), "--tls-key"),
        (("up", "--http", "127.0.0.1:70000"), "port 0 to 65535"),
        (("up", "--grpc", "unix:/there"), "HOST:PORT"),
        (("drain", "nobody"), "no fleet"),
    ],
)
def test_wrong_usage_is_told_in_a_line_and_starts_nothing(
    folder: Path, project: Path, words: tuple[str, ...], said: str
) -> None:
    done = crossfleet(*words, cwd=project, env={"CROSSFLEET_DATA": str(folder / "data")})

    assert done.status == 2, done.text
    assert said in done.err
    assert "Traceback" not in done.err
    assert not os.path.exists(folder / "data" / "ledger.sqlite")


def test_a_fleet_that_cannot_be_reached_is_the_fleets_fault(project: Path) -> None:
    done = crossfleet("runs", cwd=project, env={"CROSSFLEET_ADDRESS": "unix:/nowhere/c.sock"}, seconds=100)

    assert done.status == 3, done.text
    assert "/nowhere/c.sock" in done.err
    assert "Traceback" not in done.err
