"""The fleet, where there is one: reachable, of this version, its workers well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1.fleet_service_pb2 import GetFleetResponse, WorkerStatus
from crossfleet.api.types.v1 import device_pb2
from crossfleet.cli.advice import advise
from crossfleet.cli.commands.version import installed
from crossfleet.cli.connecting import endpoint_elsewhere
from crossfleet.cli.diagnosis.coordinators import examine_coordinators
from crossfleet.cli.diagnosis.finding import Finding
from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.reporting.schedulers import for_what, trouble
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.errors import CrossfleetError, Unavailable
from crossfleet.foundation.words import word

_SECONDS = 10.0
_START = "start it, or unset the address"
_RESTART = "restart its agent; its log says more"


def examine(data: str) -> Iterator[Finding]:
    """The fleet that commands here would ask. `data`: what --data says."""
    endpoint = endpoint_elsewhere(data)
    if endpoint is None:
        found = fleetfile.read(folders.data_folder(data))
        if found is None:
            yield Finding("fleet", "ok", "none is up; `crossfleet run` starts its own")
            return
        endpoint = Endpoint(found.address)
    try:
        fleet, schedulers, workers, coordinators = asyncio.run(_ask(endpoint))
    except CrossfleetError as error:
        advice = advise(error)
        mend = _START if advice in ("", advise(Unavailable(""))) else advice
        yield Finding("fleet", "fail", f"{endpoint.address}: {error.message}", mend)
        return
    except TimeoutError:
        text = f"{endpoint.address} did not answer within {_SECONDS:.0f} s"
        yield Finding("fleet", "fail", text, "look into DIR/logs/coordinator.log")
        return
    yield from _fleet(endpoint, fleet)
    yield from map(_external, schedulers)
    yield from coordinators
    yield from _workers(workers)


_Answers = tuple[GetFleetResponse, list[admin_pb2.SchedulerStanding], list[WorkerStatus], list[Finding]]


async def _ask(endpoint: Endpoint) -> _Answers:
    async with asyncio.timeout(_SECONDS), Client.open(endpoint, timeout=_SECONDS) as client:
        fleet = await client.fleet.summary()
        workers = [status async for status in client.fleet.workers()]
        fleet, coordinators = await examine_coordinators(endpoint, fleet)
        externals = (await client.admin.schedulers())[1:] if fleet.leads else []  # nobody else knows them
        return fleet, externals, workers, coordinators


def _fleet(endpoint: Endpoint, fleet: GetFleetResponse) -> Iterator[Finding]:
    own = installed()["crossfleet-client"]
    if fleet.version and fleet.version != own:
        yield Finding("fleet", "warn", f"its version is {fleet.version}, this command's {own}", "install one version")
    else:
        yield Finding("fleet", "ok", f"{endpoint.address}, version {fleet.version}, {fleet.slots} slots")
    if fleet.scheduler_connected:
        yield Finding("scheduler", "ok", fleet.scheduler)
    elif fleet.leads:  # nobody else knows
        yield Finding("scheduler", "fail", "not connected: nothing is placed", "start it; its log says more")


def _external(one: admin_pb2.SchedulerStanding) -> Finding:
    """A scheduler for which the fallback can stand in."""
    name = f"scheduler {one.name}"
    if one.breaker == admin_pb2.BREAKER_STATE_CLOSED:
        return Finding(name, "ok", f"{one.described_name}, decides for {for_what(one)}")
    return Finding(name, "warn", trouble(one), "look into its log; crossfleet scheduler status tells more")


def _workers(workers: list[WorkerStatus]) -> Iterator[Finding]:
    there = [status for status in workers if not status.has_left]
    if not there:
        text = "all have left" if workers else "none has joined"
        yield Finding("workers", "warn", text, "crossfleet worker --join ADDRESS")
    for status in there:
        worker = status.worker
        name = f"worker {worker.worker_id}"
        state = word(device_pb2.WorkerState, worker.state)
        conditions = [f"{device.device_id} {each}" for device in worker.devices for each in device.conditions]
        if worker.state in (device_pb2.WORKER_STATE_LOST, device_pb2.WORKER_STATE_SUSPECT):
            yield Finding(name, "fail", f"is {state}", _RESTART)
        elif conditions or worker.taints:
            troubles = ", ".join([*conditions, *worker.taints])
            yield Finding(name, "warn", f"{state}: {troubles}", "crossfleet workers --devices shows its devices")
        else:
            has = f"{_count(worker.slots, 'slot')}, {_count(len(worker.devices), 'device')}"
            yield Finding(name, "ok", f"{state}, {has}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
