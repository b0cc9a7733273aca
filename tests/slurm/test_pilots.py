"""Runs on a fleet whose workers come from a real Slurm."""

from __future__ import annotations

import re
import signal

import pytest

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.foundation.wait import eventually

PASSED = result_pb2.OUTCOME_PASSED


async def passed(bridged, submitted, count):
    """Wait for the end of a run, all of whose cases pass."""
    await bridged.fleet.watch(submitted, seconds=45)
    cases = await bridged.fleet.cases(submitted.run.run_id)
    assert (len(cases), set(cases.values())) == (count, {PASSED})


async def test_a_run_on_an_empty_fleet_gets_workers_from_slurm_which_leave_when_it_is_over(bridged):
    await bridged.start_bridge()
    submitted = await bridged.submit()
    await passed(bridged, submitted, 6)
    ended = bridged.slurm.jobs(bridged.name, "all")
    assert ended, "no job was submitted"
    await eventually(lambda: not bridged.slurm.jobs(bridged.name), deadline=40, what="the pilots to leave")
    await eventually(
        lambda: set(bridged.slurm.jobs(bridged.name, "all").values()) == {"COMPLETED"}, deadline=40, what="good ends"
    )
    listed = await bridged.fleet.fleet.ListWorkers(fleet_pb2.ListWorkersRequest())
    workers = [one.worker for one in listed.workers]
    assert {worker.worker_id for worker in workers} <= {f"{bridged.name}-{job}" for job in ended}
    assert {worker.labels["pool"] for worker in workers} == {"slurm"}


async def test_a_queued_run_says_what_slurm_says_and_a_bridge_that_was_killed_submits_nothing_twice(bridged):
    bridged.slurm.open(up=False)
    bridge = await bridged.start_bridge()
    submitted = await bridged.submit()
    text = await bridged.told(submitted.run.run_id, "PartitionDown")
    assert text.startswith("Slurm: 1 pilot queued"), text
    queued = bridged.slurm.jobs(bridged.name)
    await bridge.end(signal.SIGKILL)
    await bridged.start_bridge()
    log = bridged.fleet.log("bridge")
    await eventually(lambda: "pilots of before are there" in log.read_text(), deadline=40, what="a look at Slurm")
    bridged.slurm.open()
    await passed(bridged, submitted, 6)
    assert bridged.slurm.jobs(bridged.name, "all").keys() == queued.keys(), log.read_text()


async def test_a_run_behind_other_jobs_says_when_slurm_means_to_begin(bridged):
    for _ in bridged.slurm.names:
        others = ("--time=30", f"--cpus-per-task={bridged.slurm.cpus}", "--output=/dev/null", "--wrap=sleep 600")
        bridged.slurm.call("sbatch", f"--job-name={bridged.name}-others", *others)
    await eventually(
        lambda: list(bridged.slurm.jobs(f"{bridged.name}-others").values()) == ["RUNNING"] * len(bridged.slurm.names),
        deadline=40,
        what="other jobs to run",
    )
    try:
        await bridged.start_bridge()
        submitted = await bridged.submit()
        text = await bridged.told(submitted.run.run_id, "starts about")
        assert re.fullmatch(
            r"Slurm: 1 pilot queued \((Resources|Priority)\), starts about \d\d:\d\d UTC( in 1 day)?", text
        )
    finally:
        bridged.slurm.forget_jobs(f"{bridged.name}-others")
    await passed(bridged, submitted, 6)


async def test_a_partition_that_slurm_does_not_know_is_told_in_its_own_words(bridged, tmp_path):
    (tmp_path / "pools.toml").write_text('[wrong]\npartition = "nowhere"\n')
    await bridged.start_bridge(pools=tmp_path / "pools.toml")
    submitted = await bridged.submit()
    await bridged.told(submitted.run.run_id, "invalid partition specified: nowhere")
    run = (await bridged.fleet.runs.GetRun(run_service.GetRunRequest(run_id=submitted.run.run_id))).run
    assert run.state in (run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING)


async def test_a_pilot_that_nobody_waits_for_any_more_is_cancelled(bridged):
    bridged.slurm.open(up=False)
    await bridged.start_bridge()
    submitted = await bridged.submit()
    await bridged.told(submitted.run.run_id, "queued")
    assert bridged.slurm.jobs(bridged.name)
    await bridged.fleet.runs.CancelRun(run_service.CancelRunRequest(run_id=submitted.run.run_id))
    await eventually(lambda: not bridged.slurm.jobs(bridged.name), deadline=40, what="the pilot to be cancelled")


async def test_a_pilot_that_is_cancelled_in_the_middle_leaves_its_cases_to_another(bridged, tmp_path):
    (tmp_path / "pools.toml").write_text("[main]\nslots = 1\n")
    await bridged.start_bridge(pools=tmp_path / "pools.toml", slot_seconds=0)
    submitted = await bridged.submit(count=8, seconds=1.0)
    run_id = submitted.run.run_id

    async def some() -> bool:
        return PASSED in (await bridged.fleet.cases(run_id)).values()

    await eventually(some, deadline=30, what="a first result")
    running = [job for job, state in bridged.slurm.jobs(bridged.name).items() if state == "RUNNING"]
    bridged.slurm.call("scancel", running[0])
    await passed(bridged, submitted, 8)
    assert running[0] not in bridged.slurm.jobs(bridged.name)


@pytest.mark.soak
async def test_there_are_never_more_pilots_than_the_limit(bridged, tmp_path):
    (tmp_path / "pools.toml").write_text("[main]\nslots = 1\n")
    await bridged.start_bridge(pools=tmp_path / "pools.toml", slot_seconds=0, pilots=2)
    submitted = await bridged.submit(count=16, seconds=0.5)
    most = 0

    async def over() -> bool:
        nonlocal most
        most = max(most, len(bridged.slurm.jobs(bridged.name)))
        cases = await bridged.fleet.cases(submitted.run.run_id)
        return len(cases) == 16 and set(cases.values()) == {PASSED}

    await eventually(over, deadline=45, what="the end of the run")
    assert most == 2


@pytest.mark.soak
async def test_a_request_is_what_its_pilots_ask_slurm_for(bridged, tmp_path):
    bridged.slurm.open(up=False)
    (tmp_path / "pools.toml").write_text(
        '[small]\nslots = 1\n[big]\nslots = 2\nconstraint = "big"\nminutes = 30\nlabels = { zone = "eu" }\n'
    )
    await bridged.start_bridge(pools=tmp_path / "pools.toml")
    request = suite_pb2.Request(cpu_cores=1.5)
    target = suite_pb2.Target(name="eu", selector='worker.labels.zone == "eu"', request=request)
    submitted = await bridged.submit(targets=[target])
    await bridged.told(submitted.run.run_id, "queued")
    (job,) = bridged.slurm.jobs(bridged.name)
    told = bridged.slurm.call("scontrol", "--oneliner", "show", "job", job)
    for words in ("Features=big", "NumCPUs=3", "TimeLimit=00:30:00", f"JobName={bridged.name}", "pool=big slots=2"):
        assert words in told, told


@pytest.mark.soak
@pytest.mark.timeout(180)
async def test_a_pilot_leaves_before_its_time_limit_and_the_rest_runs_in_another(bridged, tmp_path):
    (tmp_path / "pools.toml").write_text("[main]\nslots = 1\nminutes = 1\npilots = 1\n")
    await bridged.start_bridge(pools=tmp_path / "pools.toml", slot_seconds=0, leave_seconds=40)
    submitted = await bridged.submit(count=12, seconds=4.0)
    await bridged.fleet.watch(submitted, seconds=150)
    cases = await bridged.fleet.cases(submitted.run.run_id)
    assert set(cases.values()) == {PASSED}
    assert set(bridged.slurm.jobs(bridged.name, "TIMEOUT,FAILED,CANCELLED")) == set()
    assert len(bridged.slurm.jobs(bridged.name, "all")) > 1
