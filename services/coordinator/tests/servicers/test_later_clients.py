"""Clients of a later version, whose messages say more than this one knows."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as schedule_pb2
from crossfleet.api.types.v1 import run_pb2
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import Running, noop, running

FIELD_1000 = b"\xc2\x3e\x01x"
"""On the wire: a field of that number, with one byte in it."""


def later(where: str) -> run_pb2.RunSpec:
    """A run that asks for something new there."""
    spec = noop(1)
    target = spec.targets.add(name="default")
    if where == "spec":
        spec.MergeFromString(FIELD_1000)
    elif where == "spec.targets[0]":
        target.MergeFromString(FIELD_1000)
    elif where == "spec.policy":
        spec.policy.MergeFromString(FIELD_1000)
    else:
        target.request.placement = 4711  # type: ignore[assignment]
    return spec


async def refused(fleet: Running, spec: run_pb2.RunSpec) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fleet.submit(spec)
    return error_from_rpc(caught.value)


@pytest.mark.parametrize("where", ["spec", "spec.targets[0]", "spec.policy"])
async def test_a_wish_that_is_not_known_is_refused_by_name_and_not_left_out(tmp_path: Path, where: str) -> None:
    async with running(tmp_path) as fleet:
        error = await refused(fleet, later(where))
    assert error.reason == "UNIMPLEMENTED"
    assert f"does not know field 1000 of {where}: upgrade it" in error.message
    assert [field.path for field in error.fields] == [where]


async def test_a_value_that_is_not_known_is_refused_by_name(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        error = await refused(fleet, later("spec.targets[0].request.placement"))
    assert error.reason in {"UNIMPLEMENTED", "INVALID_ARGUMENT"}
    assert "spec.targets[0].request.placement" in str(error)


async def test_a_schedule_of_a_later_client_is_refused_when_it_is_made(tmp_path: Path) -> None:
    schedule = schedule_pb2.Schedule(name="nightly", cron="0 3 * * *", spec=later("spec.targets[0]"))
    async with running(tmp_path) as fleet:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fleet.schedules.CreateSchedule(schedule_pb2.CreateScheduleRequest(schedule=schedule))
    assert error_from_rpc(caught.value).reason == "UNIMPLEMENTED"
