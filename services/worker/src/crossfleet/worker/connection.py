"""Staying connected: dial, hold a session, wait, dial again; follow the leader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.errors.access import FilePermissionsUnsafe, PermissionDenied, Unauthenticated
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.execution import ShimUnreachable
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.foundation.errors.leadership import NoLeader, NotLeader
from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.errors.requests import InvalidArgument, ProtocolVersionUnsupported
from crossfleet.foundation.following.probe import probe
from crossfleet.foundation.following.route import Route
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.core.backoff import Backoff
from crossfleet.worker.session import Session

# Dialling again does not help against these, unless the coordinator or a file of this worker changes.
_FATAL = (
    *(Unauthenticated, PermissionDenied, ProtocolVersionUnsupported, InvalidArgument),
    *(ConfigurationInvalid, FilePermissionsUnsafe),
)


class Connection:
    """Holds one session after the other. `channel` is what other streams may use; None while there is none."""

    def __init__(
        self,
        route: Route,
        session: Session,
        *,
        open_channel: Callable[[str], grpc.aio.Channel],
        backoff: Backoff,
    ) -> None:
        """`route` says where to dial."""
        self._route = route
        self._session = session
        self._open_channel = open_channel
        self._backoff = backoff
        self._welcomed = False
        self._told = self._sent_to = ""
        self.channel: grpc.aio.Channel | None = None

    @property
    def address(self) -> str:
        """Where the coordinator is that is dialled, or that the session is with."""
        return self._route.seat.address

    async def hold(self, hello: Callable[[], Awaitable[wire.ConnectRequest]], leaving: Callable[[], bool]) -> None:
        """Keep a session until `leaving`. Raises CrossfleetError when it is refused for good before the first Welcome.

        A worker that was welcomed once goes on dialling whatever happens: tests are running under it.
        """
        while not leaving():
            began, seat, named, come = time.monotonic(), self._route.seat, False, None
            try:
                await self._once(hello)
            except CrossfleetError as error:
                if leaving():
                    return
                if isinstance(error, _FATAL) and not self._welcomed:
                    raise
                self._tell(error)
                if not isinstance(error, ShimUnreachable):  # the coordinator has nothing to do with it
                    named = self._route.turn(seat, error)
                if self._route.refusal is not None and self._route.exhausted and not self._welcomed:
                    raise self._route.refusal from error
                if isinstance(error, NoLeader):
                    come = error.retry_after
                elif not isinstance(error, (Unavailable, NotLeader, ShimUnreachable)):
                    self._backoff.answered()
            self._backoff.lived(time.monotonic() - began)
            await asyncio.sleep(self._pause(named=named, come=come))

    def _pause(self, *, named: bool, come: float | None) -> float:
        if named:
            return self._backoff.hop()
        return self._backoff.next() if come is None else self._backoff.told(come)

    def welcomed(self) -> None:
        """The present session was accepted."""
        self._welcomed = True
        self._told = self._sent_to = ""
        self._route.settled(self._route.seat)
        get_logger().info("joined the fleet", address=self.address)

    async def _once(self, hello: Callable[[], Awaitable[wire.ConnectRequest]]) -> None:
        await probe(self.address)
        channel = self._open_channel(self.address)
        self.channel = channel
        try:
            channel.get_state(try_to_connect=True)  # while the shim comes up
            await self._session.run(channel, await hello())
        finally:
            self.channel = None
            await channel.close()

    def _tell(self, error: CrossfleetError) -> None:
        """Log what went wrong: of what goes on for a while the beginning alone.

        A coordinator that was never there is told after the time that a start may take.
        """
        if isinstance(error, NotLeader):
            leader = error.metadata.get("leader", "")
            if leader != self._sent_to:
                self._sent_to = leader
                get_logger().info("sent to the leader", address=self.address, leader=leader)
            return
        told = "session lost"
        if isinstance(error, Unavailable) and not self._welcomed:
            if not self._backoff.patient:
                return
            told = "no coordinator there yet; goes on trying"
        if self._told != error.reason:
            self._told = error.reason
            get_logger().warning(told, address=self.address, reason=error.reason, message=str(error))
