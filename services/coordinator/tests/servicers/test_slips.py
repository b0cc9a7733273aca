"""A class of devices that is misspelt is refused as a slip of whoever asks, where that is known to be one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from crossfleet.api.types.v1 import device_pb2, run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.commands import SubmitRun
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.servicers import slips
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import Running, ScriptedWorker, noop, running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slips, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(slips, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(slips, "_FINDING_SECONDS", 0.05)


def asking(selector: str = "", devices: str = "", **policy: Any) -> run_pb2.RunSpec:
    spec = noop(1, policy=suite_pb2.Policy(**policy))
    target = spec.targets.add(name="gpu", selector=selector)
    if devices:
        target.request.devices.add(device_class=devices, count=1)
    return spec


async def refused(fleet: Running, spec: run_pb2.RunSpec) -> CrossfleetError:
    with pytest.raises(grpc.RpcError) as raised:
        await fleet.submit(spec)
    return error_from_rpc(raised.value)


async def with_a_gpu(fleet: Running, name: str = "w1", *, kind: str = "gpu", looking: bool = False) -> ScriptedWorker:
    worker = ScriptedWorker(fleet.channel, name)
    gpu = device_pb2.Device(device_id="gpu0", device_class=kind)
    await worker.welcomed(devices=[gpu], looking=looking)
    return worker


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (asking(devices="gpuu"), "spec.targets[0].request.devices[0].device_class"),
        (asking('device.class == "gpuu"'), "spec.targets[0].selector"),
    ],
)
async def test_a_misspelt_class_is_refused_with_the_one_that_is_meant(
    tmp_path: Path, spec: run_pb2.RunSpec, field: str
) -> None:
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet)
        error = await refused(fleet, spec)
    assert error.reason == "TARGET_UNSATISFIABLE"
    assert error.message == "target gpu: no device of this fleet is of class 'gpuu': did you mean 'gpu'?"
    assert [one.path for one in error.fields] == [field]


@pytest.mark.parametrize(
    "spec",
    [
        asking(devices="gpu"),
        asking(devices="fpga"),
        asking(devices="gpuu", unsatisfiable=suite_pb2.UNSATISFIABLE_WAIT),
        asking(devices="gpuu", unsatisfiable_wait=Duration(seconds=60)),
    ],
    ids=["it is there", "nothing is like it", "the run waits", "the run waits for a while"],
)
async def test_what_may_be_meant_as_it_stands_is_no_slip(tmp_path: Path, spec: run_pb2.RunSpec) -> None:
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet)
        assert (await fleet.submit(spec)).run.run_id


async def test_an_alternative_may_be_of_a_class_that_only_other_fleets_have(tmp_path: Path) -> None:
    spec = asking()
    other = spec.targets[0].alternatives.add(selector='device.class == "vgpu"', wait=Duration(seconds=1))
    other.devices.add(device_class="vgpu", count=1)
    spec.targets[0].alternatives.add(selector='device.class == "gpu"')
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet)
        assert (await fleet.submit(spec)).run.run_id


async def test_nothing_is_a_slip_while_a_worker_still_looks_for_devices(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet, looking=True)
        assert (await fleet.submit(asking(devices="gpuu"))).run.run_id


async def test_nothing_is_a_slip_while_a_worker_has_not_come_back_to_a_new_leader(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet, "w1", kind="h100")
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet, "w2", kind="h200")
        assert (await fleet.submit(asking(devices="h100"))).run.run_id


async def test_a_class_that_comes_with_the_next_worker_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slips, "SETTLE_SECONDS", 10.0)
    async with running(tmp_path) as fleet:
        worker = await with_a_gpu(fleet)
        submitting = asyncio.ensure_future(fleet.submit(asking(devices="gpuu")))
        changed = worker_pb2.DevicesChanged(devices=[device_pb2.Device(device_id="g1", device_class="gpuu")])
        await worker.send(worker_pb2.WorkerMessage(devices_changed=changed))
        assert (await submitting).run.run_id


async def test_a_slip_is_one_also_where_its_workers_find_their_devices_only_after_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slips, "_FINDING_SECONDS", 30.0)
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed(looking=True)
        submitting = asyncio.ensure_future(refused(fleet, asking(devices="gpuu")))
        changed = worker_pb2.DevicesChanged(devices=[device_pb2.Device(device_id="g1", device_class="gpu")])
        await worker.send(worker_pb2.WorkerMessage(devices_changed=changed))
        assert "did you mean 'gpu'?" in (await submitting).message


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a slip was found, for which much time is left to be none."""
    event, look = asyncio.Event(), slips._slip

    def noted(command: SubmitRun, state: State) -> CrossfleetError | None:
        event.set()
        return look(command, state)

    monkeypatch.setattr(slips, "SETTLE_SECONDS", 30.0)
    monkeypatch.setattr(slips, "_slip", noted)
    return event


async def test_what_is_committed_meanwhile_under_the_same_request_id_answers_who_waits(
    tmp_path: Path, looked: asyncio.Event
) -> None:
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet)
        asked = asyncio.ensure_future(refused(fleet, asking(devices="gpuu")))
        await looked.wait()
        await fleet.submit(noop(1))
        assert (await asked).reason == "IDEMPOTENCY_CONFLICT"


async def test_nobody_waits_while_the_coordinator_goes_down(tmp_path: Path, looked: asyncio.Event) -> None:
    async with running(tmp_path) as fleet:
        await with_a_gpu(fleet)
        asked = asyncio.ensure_future(refused(fleet, asking(devices="gpuu")))
        await looked.wait()
        fleet.draining.begin("a test")
        assert (await asked).reason == "DRAINING"


async def test_a_slip_is_one_also_where_the_workers_of_an_embedded_fleet_come_only_after_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slips, "SETTLE_SECONDS", 3.0)
    async with running(tmp_path) as fleet:
        submitting = asyncio.ensure_future(refused(fleet, asking(devices="gpuu")))
        await with_a_gpu(fleet)
        assert "did you mean 'gpu'?" in (await submitting).message


async def test_a_fleet_whose_workers_start_elsewhere_takes_a_run_before_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slips, "SETTLE_SECONDS", 600.0)
    async with running(tmp_path, embedded=False) as fleet:
        spec = asking(devices="gpuu")
        assert (await fleet.submit(spec)).run.run_id
