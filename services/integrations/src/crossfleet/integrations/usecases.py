"""What the gateway can do, once: REST today, GraphQL later, call these functions and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from crossfleet.api.coordinator.v1 import fleet_service_pb2, run_service_pb2
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.api.types.v1 import run_pb2
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.pursuit import pursue

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of runs, newest first; `next_page_token` is empty at the end."""

    runs: Sequence[run_pb2.Run]
    next_page_token: str


class UseCases:
    """Reads runs through the coordinator's public API. Every method raises the CrossfleetError that the coordinator answered.

    A call is made again, also at other coordinators, for at most `call_seconds`.
    """

    def __init__(self, channel: FollowingChannel, call_seconds: float) -> None:
        self._channel = channel
        self._runs = RunServiceStub(channel)
        self._fleet = FleetServiceStub(channel)
        self._seconds = call_seconds

    async def list_runs(
        self, project: str, states: Sequence[run_pb2.RunState.ValueType], page_size: int, page_token: str
    ) -> Page:
        """A page of runs of a project (empty: all), in the given states (empty: all)."""
        request = run_service_pb2.ListRunsRequest(
            project=project, states=states, page_size=page_size, page_token=page_token
        )
        answer = await self._ask(lambda: self._runs.ListRuns(request, timeout=self._seconds))
        return Page(answer.runs, answer.next_page_token)

    async def get_run(self, run_id: str) -> run_pb2.Run:
        """One run. Raises RunNotFound."""
        request = run_service_pb2.GetRunRequest(run_id=run_id)
        return (await self._ask(lambda: self._runs.GetRun(request, timeout=self._seconds))).run

    async def fleet_answers(self) -> fleet_service_pb2.GetFleetResponse:
        """The fleet's summary; raises when the coordinator cannot be reached, which is what readiness asks."""
        request = fleet_service_pb2.GetFleetRequest()
        return await self._ask(lambda: self._fleet.GetFleet(request, timeout=self._seconds))

    async def _ask(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        return await pursue(self._channel, attempt, self._seconds)
