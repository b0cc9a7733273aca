"""The bridge as a process, between a scheduler and a coordinator that the test plays. Slurm is a folder of scripts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

import crossfleet.slurm
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Service, start_service

SBATCH = """#!/bin/sh
printf '%s\\n' "$@" > "$HOME/arguments"
env > "$HOME/environment"
[ ! -e "$HOME/refusal" ] || { cat "$HOME/refusal" >&2; exit 1; }
echo 7
echo "7|PENDING|N/A|Priority|$(sed -n 's/^--comment=//p' "$HOME/arguments")" > "$HOME/queue"
"""
SQUEUE = """#!/bin/sh
cat "$HOME/queue"
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The home of whoever runs the bridge, with a Slurm in it."""
    (tmp_path / "bin").mkdir()
    for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", "#!/bin/sh\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "queue").touch()
    (tmp_path / "token").write_text("open-sesame\n")
    (tmp_path / "token").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def words(home: Path, **flags: object) -> list[str]:
    given = {
        "listen": f"unix:{home}/b",
        "scheduler": f"unix:{home}/s",
        "coordinator": "fleet.example:7400",
        "coordinator_authority": "/shared/ca.pem",
        "worker_token_file": home / "token",
        "poll_seconds": 0.1,
        "patience_seconds": 0.1,
        **flags,
    }
    return [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]


@contextlib.asynccontextmanager
async def bridge(home: Path, **flags: object) -> AsyncIterator[Service]:
    """A scheduler and the bridge before it."""
    scheduler = await start_service("scheduler", "--listen", f"unix:{home}/s", log=home / "log")
    service = await start_service("slurm", *words(home, **flags), log=home / "log")
    try:
        yield service
    finally:
        await service.end()
        await scheduler.end()


def snapshot(*workers: device_pb2.Worker, **group: object) -> scheduler_pb2.ScheduleRequest:
    given: dict[str, Any] = {
        "group_id": "r1/default",
        "run_id": "r1",
        "collected": True,
        "wanted_slots": 3,
        "runner": "pytest",
        **group,
    }
    rows = scheduler_pb2.Snapshot(workers=workers, groups=[scheduler_pb2.TaskGroup(**given)])
    return scheduler_pb2.ScheduleRequest(revision=1, snapshot=rows, now_unix_seconds=1000.0)


async def heard(call, words: str) -> scheduler_pb2.Waiting:
    """The first reason with these words. Raises TimeoutError with what came instead."""
    came = []
    try:
        async with asyncio.timeout(40):
            while True:
                plan = await call.read()
                came += [row.text for row in plan.waiting]
                for row in plan.waiting:
                    if words in row.text:
                        return row
    except TimeoutError:
        raise AssertionError(f"no reason with {words!r}: {came}") from None


async def test_what_waits_is_submitted_without_a_secret_and_without_a_shell(home, monkeypatch):
    monkeypatch.setenv("CROSSFLEET_TOKEN", "open-sesame")
    async with bridge(home), open_channel(f"unix:{home}/b") as channel:
        call = SchedulerServiceStub(channel).Schedule()
        await call.write(snapshot(group_id="r1/it's $(rm -rf /)"))
        await heard(call, "Slurm: 1 pilot queued (Priority)")
        call.cancel()
    arguments = (home / "arguments").read_text().splitlines()
    environment = (home / "environment").read_text()
    assert "open-sesame" not in environment
    assert not any("open-sesame" in word for word in arguments)
    assert "CROSSFLEET" not in environment
    assert str(home / "token") in arguments
    for word in ("--job-name=crossfleet", "--cpus-per-task=3", "--idle-exit-seconds", "pool=slurm", "--no-requeue"):
        assert word in arguments
    comment = next(word for word in arguments if word.startswith("--comment="))
    assert comment.endswith("group=r1/it?s $(rm -rf /)")


async def test_what_slurm_refuses_is_told_in_its_words(home):
    (home / "refusal").write_text("sbatch: error: Batch job submission failed: Invalid account\n")
    async with bridge(home), open_channel(f"unix:{home}/b") as channel:
        call = SchedulerServiceStub(channel).Schedule()
        await call.write(snapshot())
        row = await heard(call, "Batch job submission failed: Invalid account")
        assert (row.kind, row.code) == (scheduler_pb2.WAITING_KIND_LATER, "slurm")
        call.cancel()


async def test_where_slurm_does_not_answer_nothing_is_submitted_and_it_is_told(home):
    (home / "bin" / "squeue").write_text("#!/bin/sh\necho 'squeue: error: Unable to contact controller' >&2; exit 1\n")
    async with bridge(home), open_channel(f"unix:{home}/b") as channel:
        call = SchedulerServiceStub(channel).Schedule()
        await call.write(snapshot())
        await heard(call, "Slurm: Unable to contact controller")
        call.cancel()
    assert not (home / "arguments").exists()


async def test_plans_of_the_scheduler_behind_pass(home):
    worker = device_pb2.Worker(
        worker_id="w1", slots=2, cpu_cores=2, runners=["pytest"], state=device_pb2.WORKER_STATE_READY
    )
    async with bridge(home), open_channel(f"unix:{home}/b") as channel:
        stub = SchedulerServiceStub(channel)
        described = await stub.Describe(scheduler_pb2.DescribeRequest())
        assert described.name == "crossfleet-slurm before crossfleet-default"
        call: Any = stub.Schedule()
        await call.write(snapshot(worker, wanted_slots=2))
        async with asyncio.timeout(40):
            plan = await call.read()
        assert [(one.group_id, one.worker_id, one.slots) for one in plan.allocate] == [("r1/default", "w1", 2)]
        call.cancel()


async def test_what_no_pilot_could_serve_fails_as_it_would_without_slurm(home):
    worker = device_pb2.Worker(worker_id="w1", slots=1, runners=["pytest"], state=device_pb2.WORKER_STATE_READY)
    request = suite_pb2.Request(devices=[suite_pb2.DeviceRequest(device_class="npu")])
    async with bridge(home), open_channel(f"unix:{home}/b") as channel:
        call = SchedulerServiceStub(channel).Schedule()
        await call.write(snapshot(worker, request=request))
        row = await heard(call, "npu")
        assert row.kind == scheduler_pb2.WAITING_KIND_NEVER
        call.cancel()


async def test_without_the_scheduler_behind_the_coordinator_hears_that_it_is_away(home):
    service = await start_service("slurm", *words(home), log=home / "log")
    try:
        async with open_channel(f"unix:{home}/b") as channel:
            with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
                await SchedulerServiceStub(channel).Describe(scheduler_pb2.DescribeRequest(), timeout=10)
    finally:
        await service.end()


async def test_when_the_scheduler_behind_ends_so_does_the_stream(home):
    scheduler = await start_service("scheduler", "--listen", f"unix:{home}/s", log=home / "log")
    service = await start_service("slurm", *words(home), log=home / "log")
    try:
        async with open_channel(f"unix:{home}/b") as channel:
            call = SchedulerServiceStub(channel).Schedule()
            await call.write(snapshot())
            await heard(call, "Slurm")
            await scheduler.end(signal.SIGKILL)
            with pytest.raises(grpc.RpcError, match="behind the bridge"):
                async with asyncio.timeout(40):
                    while await call.read() is not grpc.aio.EOF:
                        pass
    finally:
        await service.end()
        await scheduler.end()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"scheduler": ""}, "scheduler"),
        ({"coordinator": ""}, "coordinator"),
        ({"coordinator": "nowhere"}, "nowhere"),
        ({"coordinator_authority": ""}, "in the clear"),
        ({"worker_token_file": "token"}, "worker_token_file"),
        ({"pools": "/nowhere.toml"}, "/nowhere.toml"),
        ({"name": "no slash/"}, "name"),
    ],
)
def test_a_wrong_setting_is_named_before_any_job_is_submitted(home, flags, named):
    command = [sys.executable, "-m", "crossfleet.slurm", *words(home, **flags)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2, done.stderr
    assert named in done.stdout + done.stderr


def test_a_token_that_others_can_read_is_refused(home):
    (home / "token").chmod(0o644)
    command = [sys.executable, "-m", "crossfleet.slurm", *words(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (2, "FILE_PERMISSIONS_UNSAFE")


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert crossfleet.slurm.__version__ == version("crossfleet-slurm")


async def test_a_pilot_goes_with_its_folder_and_lets_its_worker_leave_in_good_order(tmp_path):
    worker = tmp_path / "worker"
    worker.write_text(
        '#!/bin/sh\ntrap \'echo left >> "$OUT"; exit 3\' TERM\nprintf \'%s\\n\' "$@" > "$OUT"\nwhile :; do sleep 0.05; done\n'
    )
    worker.chmod(0o755)
    out = tmp_path / "out"
    script = Path(crossfleet.slurm.__file__).with_name("pilot.sh")
    environment = {
        "PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "OUT": str(out),
        "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "cf",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec("sh", str(script), str(worker), "--slots", "2", env=environment)
    await eventually(lambda: out.exists() and "--cache" in out.read_text(), deadline=30, what="the worker")
    said = out.read_text().splitlines()
    home = Path(said[said.index("--state") + 1])
    assert said[:4] == ["--slots", "2", "--cache", str(tmp_path / f"crossfleet-cache-{os.getuid()}")]
    assert said[said.index("--name") + 1] == "cf-7"
    assert (home.is_dir(), home.stat().st_mode & 0o777) == (True, 0o700)
    process.send_signal(signal.SIGUSR1)
    assert await asyncio.wait_for(process.wait(), 40) == 3
    assert out.read_text().endswith("left\n")
    assert not home.exists()
