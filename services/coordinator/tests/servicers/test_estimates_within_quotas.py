"""EstimateRun and ExplainRun where a project has a quota: until when it keeps work waiting, and by whom."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import suite_pb2
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running
from services.coordinator.tests.servicers.estimated import (
    estimate,
    explain,
    measured,
    unnamed,
)


async def test_a_run_that_its_project_s_quota_keeps_waiting_is_told_until_when_and_by_whom(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=8)
        await limited(fleet, slots=2)
        first = (await fleet.submit(noop(20), "running")).run.run_id
        await worker.next("assign")
        waiting = (await fleet.submit(noop(20), "waiting")).run.run_id

        told = await explain(fleet, waiting)
        answer = await estimate(fleet, unnamed())
        others = await estimate(fleet, unnamed(project="other"))
        needing = suite_pb2.Target(name="wide", request=suite_pb2.Request(slots_min=3))
        never = (await estimate(fleet, noop(20, targets=[needing]))).targets[0]

    # Sixty slot-seconds run on two slots, and as many are ahead.
    (target,) = answer.targets
    assert told.waiting_reason == f"it needs 1 slot, and the quota of project default is 2: held by {first} (2)"
    assert told.start_seconds.low < 30.0 < told.start_seconds.high
    assert told.end_seconds.low < 60.0 < told.end_seconds.high
    assert not told.HasField("queue")
    assert target.start_seconds.low < 60.0 < target.start_seconds.high
    assert target.end_seconds.low < 90.0 < target.end_seconds.high
    assert target.quota_wait == told.waiting_reason
    assert target.slots == 2
    assert others.start_seconds.high == 0.0
    assert not others.targets[0].quota_wait
    assert never.waiting_reason == f"it needs 3 slots, and the quota of project default is 2: held by {first} (2)"
    assert not never.HasField("start_seconds")


async def test_a_run_that_waits_for_a_place_among_the_runs_begins_when_one_of_them_is_expected_to_end(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=8)
        await limited(fleet, runs=1)
        two = [suite_pb2.Target(name="default", request=suite_pb2.Request(slots_max=2))]
        first = (await fleet.submit(noop(20, targets=two), "running")).run.run_id
        await worker.next("assign")

        (target,) = (await estimate(fleet, unnamed())).targets

    assert target.start_seconds.low < 30.0 < target.start_seconds.high
    assert (
        target.quota_wait == f"it needs a place among its runs, and the quota of project default is 1: held by {first}"
    )


async def test_what_a_lowered_quota_never_allows_does_not_begin_when_those_end_that_began_before(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=8)
        await limited(fleet, slots=1)
        await fleet.submit(noop(20), "running")
        await worker.next("assign")
        await limited(fleet, slots=0)
        target = (
            await estimate(fleet, unnamed(policy=suite_pb2.Policy(unsatisfiable=suite_pb2.UNSATISFIABLE_WAIT)))
        ).targets[0]

    assert "it needs 1 slot, and the quota of project default is 0" in target.waiting_reason
    assert not target.HasField("start_seconds")


async def test_targets_of_one_run_take_what_a_quota_leaves_one_after_the_other(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        _worker, _ = await measured(fleet, slots=8)
        await limited(fleet, slots=1)

        answer = await estimate(fleet, noop(20, targets=[suite_pb2.Target(name="default"), suite_pb2.Target(name="b")]))

    first, second = answer.targets
    assert first.start_seconds.high == 0.0
    assert first.slots == 1
    assert second.start_seconds.middle == pytest.approx(first.end_seconds.middle, rel=0.1)
    assert answer.end_seconds == second.end_seconds


async def test_targets_that_need_each_other_by_many_ways_are_foreseen_within_a_quota_as_others_are(
    tmp_path: Path,
) -> None:
    layers = [(suite_pb2.Target(name=f"a{level}"), suite_pb2.Target(name=f"b{level}")) for level in range(24)]
    for before, layer in pairwise(layers):
        for target in layer:
            target.needs.extend(suite_pb2.Need(target=one.name) for one in before)
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel, slots=2).welcomed()
        await limited(fleet, slots=2)

        answer = await estimate(fleet, noop(2, targets=[target for layer in layers for target in layer]))

    assert len(answer.targets) == 48
    assert answer.targets[0].start_seconds.high == 0.0


async def test_an_alternative_that_a_quota_never_allows_is_neither_waited_for_nor_foreseen(tmp_path: Path) -> None:
    target = suite_pb2.Target(name="gpu")
    target.alternatives.add(selector='device.class == "gpu"').wait.seconds = 600
    target.alternatives.add(selector="worker.slots > 1")
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel, slots=2).welcomed()
        await limited(fleet, devices={"gpu": 0})
        told = (await estimate(fleet, noop(2, targets=[target]))).targets[0]
        run_id = (await fleet.submit(noop(2, targets=[target]))).run.run_id
        first, second = (await explain(fleet, run_id)).alternatives

    assert (told.alternative, told.start_seconds.high, told.quota_wait) == (2, 0.0, "")
    assert first.standing == run_service.ALTERNATIVE_STANDING_PASSED
    assert first.cause == "it needs 1 gpu at once, and the quota of project default is 0"
    assert (second.standing, second.cause) == (run_service.ALTERNATIVE_STANDING_OPEN, "")


async def limited(fleet: Running, **limits: Any) -> None:
    quota = admin_pb2.Quota(project=noop(1).project or "default", **limits)
    await fleet.admin.SetQuota(admin_pb2.SetQuotaRequest(quota=quota))
