"""FleetService: workers and what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2_grpc as fleet_grpc
from crossfleet.api.types.v1 import device_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.convert.fleet import health_messages
from crossfleet.coordinator.convert.overrides import override_from
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.core.commands import DrainWorker, QuarantineWorker
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import RunState, WorkerState
from crossfleet.coordinator.election.port import Leader
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.servicers.pages import decode, encode, page_size
from crossfleet.foundation.auth import current_principal
from crossfleet.foundation.errors import FieldViolation, InvalidArgument, WorkerNotFound
from crossfleet.foundation.logs import get_logger


@dataclass(frozen=True, slots=True)
class Identity:
    """What this coordinator is: version, name, whether it takes local paths, and who leads as far as it knows."""

    version: str
    name: str
    embedded: bool
    leader: Callable[[], Leader | None]


@dataclass(frozen=True, slots=True)
class Leading:
    """The term of a leader, and since when it leads in unix seconds."""

    epoch: int
    since: float


class FleetServicer(fleet_grpc.FleetServiceServicer):
    """Answers from the live state of a leader."""

    def __init__(
        self,
        lookup: Lookup,
        identity: Identity,
        leading: Leading,
        figures: SchedulerFigures,
        sequence: Callable[[], int],
        heard_at: Callable[[str], float],
    ) -> None:
        """`sequence` answers the number of the last committed batch, `heard_at` when a worker was last heard (unix seconds)."""
        self._lookup = lookup
        self._identity = identity
        self._leading = leading
        self._figures = figures
        self._sequence = sequence
        self._heard_at = heard_at

    async def ListWorkers(self, request: fleet_pb2.ListWorkersRequest, context: Any) -> fleet_pb2.ListWorkersResponse:
        """Workers by name. Raises PageTokenInvalid."""
        size = page_size(request.page_size, 100, 1000)
        after = (decode(request.page_token, (str,), "workers") or [""])[0]
        state = self._lookup.state()
        names = sorted(name for name in state.workers if name > after)
        token = encode([names[size - 1]], "workers") if len(names) > size else ""
        workers = [self._status(state, state.workers[name]) for name in names[:size]]
        return fleet_pb2.ListWorkersResponse(workers=workers, next_page_token=token)

    async def GetWorker(self, request: fleet_pb2.GetWorkerRequest, context: Any) -> fleet_pb2.GetWorkerResponse:
        """One worker. Raises WorkerNotFound."""
        return fleet_pb2.GetWorkerResponse(worker=self._worker(request.worker_id))

    async def DrainWorker(self, request: fleet_pb2.DrainWorkerRequest, context: Any) -> fleet_pb2.DrainWorkerResponse:
        """Keeps new work away. Raises WorkerNotFound, InvalidArgument."""
        _check_reason(request.reason)
        await self._lookup.commit(DrainWorker(request.worker_id, True, request.reason))
        return fleet_pb2.DrainWorkerResponse(worker=self._worker(request.worker_id))

    async def UndrainWorker(
        self, request: fleet_pb2.UndrainWorkerRequest, context: Any
    ) -> fleet_pb2.UndrainWorkerResponse:
        """Lets a worker take work again, whatever kept it away. Raises WorkerNotFound."""
        await self._lookup.commit(DrainWorker(request.worker_id, False, ""))
        return fleet_pb2.UndrainWorkerResponse(worker=self._worker(request.worker_id))

    async def QuarantineWorker(
        self, request: fleet_pb2.QuarantineWorkerRequest, context: Any
    ) -> fleet_pb2.QuarantineWorkerResponse:
        """Doubts a worker. Raises WorkerNotFound, InvalidArgument."""
        _check_reason(request.reason)
        await self._lookup.commit(QuarantineWorker(request.worker_id, request.reason))
        return fleet_pb2.QuarantineWorkerResponse(worker=self._worker(request.worker_id))

    async def OverrideDevice(
        self, request: fleet_pb2.OverrideDeviceRequest, context: Any
    ) -> fleet_pb2.OverrideDeviceResponse:
        """Says what a device is like. Raises WorkerNotFound, DeviceNotFound, InvalidArgument, StateConflict."""
        known = self._known(request.worker_id)
        principal = current_principal()
        author = request.author or (principal.name if principal else "")
        command = override_from(request, device_pb2.Worker.FromString(known.description), author)
        await self._lookup.commit(command)
        get_logger().info(
            "a device was overridden",
            worker=command.worker_id,
            device=command.device_id,
            attributes=sorted(command.attributes),
            restored=sorted(command.restore),
            hidden=command.hidden,
            cleared=command.clear,
            author=author,
            caller=f"{principal.kind} {principal.name}".strip() if principal else "",
            cause=command.reason,
        )
        return fleet_pb2.OverrideDeviceResponse(worker=self._worker(request.worker_id))

    async def GetFleet(self, request: fleet_pb2.GetFleetRequest, context: Any) -> fleet_pb2.GetFleetResponse:
        """The summary."""
        state = self._lookup.state()
        living = [worker for worker in state.workers.values() if worker.state is not WorkerState.LOST]
        leader = self._identity.leader() or Leader("", "")
        response = fleet_pb2.GetFleetResponse(
            version=self._identity.version,
            epoch=self._leading.epoch,
            sequence=self._sequence(),
            leader_address=leader.address,
            leader=leader.name,
            coordinator=self._identity.name,
            leads=True,
            workers_by_state=Counter(
                f"WORKER_STATE_{worker.state.name}" for worker in state.workers.values() if not worker.has_left
            ),
            slots=sum(worker.view.slots_total for worker in living),
            busy_slots=sum(len(one.held) for one in state.allocations.values()),
            open_runs=sum(run.state is not RunState.FINISHED for run in state.runs.values()),
            pending_cases=sum(group.open_cases for group in state.groups.values() if not group.over),
            scheduler=self._figures.name,
            scheduler_connected=self._figures.connected,
            accepts_local_paths=self._identity.embedded,
        )
        set_time(response.leads_since, self._leading.since)
        return response

    def _known(self, worker_id: str) -> Worker:
        worker = self._lookup.state().workers.get(worker_id)
        if worker is None:
            raise WorkerNotFound(f"no worker {worker_id!r}", worker=worker_id)
        return worker

    def _worker(self, worker_id: str) -> fleet_pb2.WorkerStatus:
        return self._status(self._lookup.state(), self._known(worker_id))

    def _status(self, state: State, worker: Worker) -> fleet_pb2.WorkerStatus:
        held = [state.allocations[one] for one in sorted(worker.allocations) if one in state.allocations]
        message = fleet_pb2.WorkerStatus(
            worker=plans.described(state, worker),
            busy_slots=sum(len(one.held) for one in held),
            health=health_messages(worker.health),
            cause=worker.cause,
            has_left=worker.has_left,
        )
        set_time(message.worker.last_seen_at, self._heard_at(worker.worker_id))
        set_time(message.gone_at, worker.gone_at)
        for one in held:
            message.allocations.add(
                allocation_id=one.allocation_id,
                group_id=one.group_id,
                run_id=one.run_id,
                target=state.groups[one.group_id].target.name,
                slots=sorted(one.held),
                running_attempts=one.live,
            )
        return message


def _check_reason(reason: str) -> None:
    if len(reason.encode()) > 200:
        raise InvalidArgument("the reason is too long", fields=[FieldViolation("reason", "at most 200 bytes")])
