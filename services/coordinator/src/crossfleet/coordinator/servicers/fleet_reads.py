"""FleetService of a coordinator that does not lead: workers and sums as they are committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2_grpc as fleet_grpc
from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.coordinator.convert.fleet import health_messages, worker_message
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.election.port import Leader
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.rows import HeldRow, WorkerRow
from crossfleet.coordinator.servicers.fleet import Identity
from crossfleet.coordinator.servicers.pages import decode, encode, page_size
from crossfleet.foundation.errors import WorkerNotFound


class FleetReads(fleet_grpc.FleetServiceServicer):
    """Reads alone; answers from SQL."""

    def __init__(self, queries: Queries, identity: Identity) -> None:
        """Asks `queries`; `identity` says who answers, and who leads."""
        self._queries = queries
        self._identity = identity

    async def ListWorkers(self, request: fleet_pb2.ListWorkersRequest, context: Any) -> fleet_pb2.ListWorkersResponse:
        """Workers by name. Raises PageTokenInvalid."""
        size = page_size(request.page_size, 100, 1000)
        after = (decode(request.page_token, (str,), "workers") or [""])[0]
        rows = [row for row in await self._queries.workers() if row.worker_id > after]
        token = encode([rows[size - 1].worker_id], "workers") if len(rows) > size else ""
        held = await self._queries.held()
        return fleet_pb2.ListWorkersResponse(workers=[_status(row, held) for row in rows[:size]], next_page_token=token)

    async def GetWorker(self, request: fleet_pb2.GetWorkerRequest, context: Any) -> fleet_pb2.GetWorkerResponse:
        """One worker. Raises WorkerNotFound."""
        for row in await self._queries.workers():
            if row.worker_id == request.worker_id:
                return fleet_pb2.GetWorkerResponse(worker=_status(row, await self._queries.held()))
        raise WorkerNotFound(f"no worker {request.worker_id!r}", worker=request.worker_id)

    async def GetFleet(self, request: fleet_pb2.GetFleetRequest, context: Any) -> fleet_pb2.GetFleetResponse:
        """The summary."""
        head, rows = await self._queries.head(), await self._queries.workers()
        held, work = await self._queries.held(), await self._queries.open_work()
        leader = self._identity.leader() or Leader("", "")
        return fleet_pb2.GetFleetResponse(
            version=self._identity.version,
            epoch=head.epoch,
            sequence=head.seq,
            leader_address=leader.address,
            leader=leader.name,
            coordinator=self._identity.name,
            workers_by_state=Counter(f"WORKER_STATE_{row.state.name}" for row in rows if not row.has_left),
            slots=sum(_described(row).slots for row in rows if row.state is not WorkerState.LOST),
            busy_slots=sum(len(one.slots) for one in held),
            open_runs=work.runs,
            pending_cases=work.cases,
            accepts_local_paths=self._identity.embedded,
        )


def _described(row: WorkerRow) -> Worker:
    return worker_message(row.description, row.state, row.health, row.overrides)


def _status(row: WorkerRow, held: Iterable[HeldRow]) -> fleet_pb2.WorkerStatus:
    mine = [one for one in held if one.worker_id == row.worker_id]
    message = fleet_pb2.WorkerStatus(
        worker=_described(row),
        busy_slots=sum(len(one.slots) for one in mine),
        health=health_messages(row.health),
        cause=row.cause,
        has_left=row.has_left,
    )
    set_time(message.gone_at, row.gone_at)
    for one in mine:
        message.allocations.add(
            allocation_id=one.allocation_id,
            group_id=one.group_id,
            run_id=one.run_id,
            target=one.target,
            slots=sorted(one.slots),
            running_attempts=one.running,
        )
    return message
