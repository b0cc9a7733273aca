"""Overrides of devices by RPC: what is told of them, what is refused, and that they last."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.types.v1.device_pb2 import AttributeValue, Device, StringList, Worker
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import Running, ScriptedWorker, running

GIB = 2**30
GPU = Device(
    device_id="GPU-8e1c",
    device_class="gpu",
    attributes={
        "memory": AttributeValue(int_value=24 * GIB),
        "driver": AttributeValue(version_value="550.54"),
        "model": AttributeValue(string_value="T4"),
    },
    capacities={"memory": 24 * GIB},
    detector="nvidia",
)


def _said(**values: AttributeValue) -> fleet_pb2.OverrideDeviceRequest:
    return fleet_pb2.OverrideDeviceRequest(worker_id="w1", device_id="GPU-8e1c", attributes=values, author="anna@desk")


def _device(worker: Worker) -> Device:
    (found,) = worker.devices
    return found


async def _refused(fleet: Running, request: fleet_pb2.OverrideDeviceRequest) -> CrossfleetError:
    with pytest.raises(grpc.RpcError) as refused:
        await fleet.fleet.OverrideDevice(request)
    found = error_from_rpc(refused.value)
    assert isinstance(found, CrossfleetError)
    return found


async def test_an_override_is_marked_with_who_when_why_and_what_the_detector_says_and_outlives_everybody(
    tmp_path: Path,
) -> None:
    request = _said(memory=AttributeValue(int_value=16 * GIB), rack=AttributeValue(string_value="r7"))
    request.reason = "the rest is broken"
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel).welcomed(devices=[GPU])
        answered = _device((await fleet.fleet.OverrideDevice(request)).worker.worker)
    async with running(tmp_path) as fleet:
        known = await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="w1"))
        before = _device(known.worker.worker)
        await ScriptedWorker(fleet.channel, incarnation="i2").welcomed(devices=[GPU])
        (listed,) = (await fleet.fleet.ListWorkers(fleet_pb2.ListWorkersRequest())).workers
        cleared = fleet_pb2.OverrideDeviceRequest(worker_id="w1", device_id="GPU-8e1c", clear=True)
        bare = _device((await fleet.fleet.OverrideDevice(cleared)).worker.worker)

    assert answered == before == _device(listed.worker)
    assert answered.attributes["memory"].int_value == answered.capacities["memory"] == 16 * GIB
    assert answered.override.reported["memory"].int_value == 24 * GIB
    assert answered.override.reported["rack"].WhichOneof("kind") is None
    assert (answered.override.author, answered.override.reason) == ("anna@desk", "the rest is broken")
    assert answered.override.at.seconds > 0
    assert bare == GPU


async def test_who_does_not_say_who_they_are_is_told_by_how_they_were_let_in(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel).welcomed(devices=[GPU])
        request = fleet_pb2.OverrideDeviceRequest(worker_id="w1", device_id="GPU-8e1c", hidden=True)
        hidden = _device((await fleet.fleet.OverrideDevice(request)).worker.worker)
    assert list(hidden.conditions) == ["hidden"]
    assert hidden.override.author == "local"


async def test_what_would_make_selectors_miss_is_refused_field_by_field(tmp_path: Path) -> None:
    request = _said(
        memory=AttributeValue(string_value="16Gi"),
        driver=AttributeValue(string_value="560"),
        conditions=AttributeValue(list_value=StringList(values=["well"])),
        Rack=AttributeValue(bool_value=True),
        rack=AttributeValue(),
    )
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel).welcomed(devices=[GPU])
        wrong = await _refused(fleet, request)
        gone = await _refused(fleet, fleet_pb2.OverrideDeviceRequest(worker_id="w1", device_id="GPU-8e1d", hidden=True))
        nobody = await _refused(fleet, fleet_pb2.OverrideDeviceRequest(worker_id="w2", device_id="GPU-8e1c"))

    told = {each.path: each.description for each in wrong.fields}
    assert told.pop("attributes['memory']") == "a whole number, which it is on GPU-8e1c"
    assert told.pop("attributes['driver']") == "a version, which it is on GPU-8e1c"
    assert set(told) == {"attributes['conditions']", "attributes['Rack']", "attributes['rack']"}
    assert (gone.reason, nobody.reason) == ("DEVICE_NOT_FOUND", "WORKER_NOT_FOUND")
    assert "did you mean 'GPU-8e1c'?" in gone.message


async def test_detectors_that_give_no_answer_are_named_until_they_do(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed(devices=[GPU])

        async def told(errors: dict[str, str]) -> bool:
            found = await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="w1"))
            return dict(found.worker.worker.detector_errors) == errors

        for errors in ({"nvidia": "Driver/library version mismatch"}, {"amd": "no answer within 20 s"}, {}):
            changed = worker_pb2.DevicesChanged(devices=[GPU], detector_errors=errors)
            await worker.send(worker_pb2.WorkerMessage(devices_changed=changed))
            assert await eventually(partial(told, errors))
