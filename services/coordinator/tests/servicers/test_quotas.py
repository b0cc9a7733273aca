"""Quotas over the wire: what is asked for, what is told of them, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.types.v1 import suite_pb2
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running


async def refused(call: Any) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def put(fleet: Running, **limits: Any) -> admin_pb2.QuotaStatus:
    return (await fleet.admin.SetQuota(admin_pb2.SetQuotaRequest(quota=admin_pb2.Quota(**limits)))).quota


async def listed(fleet: Running) -> list[admin_pb2.QuotaStatus]:
    return list((await fleet.admin.ListQuotas(admin_pb2.ListQuotasRequest())).quotas)


async def test_what_a_project_may_hold_what_it_holds_and_who_waits_can_be_seen(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        project = noop(1).project or "default"
        made = await put(fleet, project=project, slots=2, runs=3, devices={"gpu": 1})
        assert (made.quota.slots, made.quota.runs, dict(made.devices_held)) == (2, 3, {"gpu": 0})
        await ScriptedWorker(fleet.channel, slots=4).hello()
        first = (await fleet.submit(noop(9), "r1")).run.run_id

        async def held() -> bool:
            return (await listed(fleet))[0].slots_held == 2

        await eventually(held, deadline=30)
        second = (await fleet.submit(noop(9), "r2")).run
        (shown,) = await listed(fleet)
        assert [(one.run_id, one.slots) for one in shown.holders] == [(first, 2)]
        assert list(shown.begun_run_ids) == [first]
        assert list(shown.waiting_group_ids) == [f"{second.run_id}/default"]
        waiting = (await fleet.run(second.run_id)).targets[0].waiting_reason
        assert waiting == f"it needs 1 slot, and the quota of project {project} is 2: held by {first} (2)"
        await fleet.admin.RemoveQuota(admin_pb2.RemoveQuotaRequest(project=project))
        assert not await listed(fleet)
        assert not (await fleet.run(second.run_id)).targets[0].waiting_reason.startswith("it needs 1 slot")


async def test_of_a_name_of_5000_letters_a_few_are_told_and_what_to_do_about_it(tmp_path: Path) -> None:
    name = "x" * 5_000
    async with running(tmp_path) as fleet:
        missing = [
            await refused(fleet.admin.RemoveQuota(admin_pb2.RemoveQuotaRequest(project=name))),
            await refused(fleet.admin.RemovePriorityClass(admin_pb2.RemovePriorityClassRequest(name=name))),
            await refused(fleet.admin.RemoveSemaphore(admin_pb2.RemoveSemaphoreRequest(name=name))),
            await refused(fleet.submit(noop(1, policy=suite_pb2.Policy(scheduler=name)))),
        ]
        wrong = await refused(put(fleet, project=name, devices={name: 1, "gpu": -1}))
    mends = ("admin quota list` shows", "admin priority list` shows", "N` makes it", "this fleet has default")
    assert all(mend in str(one) and str(one).count("x") < 600 for one, mend in zip(missing, mends, strict=True))
    assert "quota.devices[gpu]" in [one.path for one in wrong.fields]
    assert all(len(one.path) + len(one.description) < 300 for one in wrong.fields)


async def test_quotas_that_cannot_be_are_refused_with_their_field(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        nothing = await refused(put(fleet, project="ml"))
        assert [one.path for one in nothing.fields] == ["quota"]
        wrong = await refused(put(fleet, project="a b", slots=-1, runs=-1, devices={"cpu": 1, "gpu": -1}))
        assert {one.path for one in wrong.fields} == {
            "quota.project",
            "quota.slots",
            "quota.runs",
            "quota.devices[cpu]",
            "quota.devices[gpu]",
        }
        await put(fleet, project="ml", runs=1)
        none = await refused(fleet.admin.RemoveQuota(admin_pb2.RemoveQuotaRequest(project="mll")))
        assert (none.reason, none.message) == ("PROJECT_NOT_FOUND", "project 'mll' has no quota: did you mean 'ml'?")


async def test_a_run_that_needs_more_than_its_quota_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        spec = noop(3)
        await put(fleet, project=spec.project or "default", slots=3)
        spec.targets.add(name="default").request.slots_min = 4
        error = await refused(fleet.submit(spec))
        assert error.reason == "QUOTA_EXCEEDED"
        assert error.metadata["limit"] == "3"
