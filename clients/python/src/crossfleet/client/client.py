"""A fleet, as Python code sees it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from crossfleet.client.admin import AdminCalls
from crossfleet.client.artifacts import ArtifactCalls
from crossfleet.client.connection import Connection
from crossfleet.client.durations import DurationCalls
from crossfleet.client.endpoint import Endpoint
from crossfleet.client.events import EventCalls
from crossfleet.client.fleet import FleetCalls
from crossfleet.client.inspection import InspectionCalls
from crossfleet.client.logs import LogCalls
from crossfleet.client.runs import RunCalls
from crossfleet.client.schedules import ScheduleCalls


class Client:
    """Calls to one fleet, by subject: `runs`, `durations`, `events`, `logs`, `inspection`, `artifacts`, `fleet`,
    `schedules`, `admin`. Close it after use.

    Idempotent calls are tried again while the fleet is away, within a budget; every error is a CrossfleetError.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.runs = RunCalls(connection)
        self.durations = DurationCalls(connection)
        self.events = EventCalls(connection)
        self.logs = LogCalls(connection)
        self.inspection = InspectionCalls(connection)
        self.artifacts = ArtifactCalls(connection)
        self.fleet = FleetCalls(connection)
        self.schedules = ScheduleCalls(connection)
        self.admin = AdminCalls(connection)

    @staticmethod
    def open(endpoint: Endpoint, *, timeout: float = 30.0) -> Client:
        """A client of `endpoint`; `timeout` is the limit of one try of a call, in seconds. Needs a running event loop."""
        return Client(Connection.open(endpoint, timeout=timeout))

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the channel."""
        await self.close()

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        await self._connection.channel.close()
