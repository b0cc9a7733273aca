"""Staying connected: dial, hold a session, wait, dial again; follow the leader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.errors.access import PermissionDenied, Unauthenticated
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.leadership import NotLeader
from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.errors.requests import InvalidArgument, ProtocolVersionUnsupported
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.serve.addresses import UnixAddress, parse
from crossfleet.worker.core.backoff import Backoff
from crossfleet.worker.session import Session

_PROBE_SECONDS = 5.0
# Dialling again does not help against these, unless the coordinator changes.
_FATAL = (Unauthenticated, PermissionDenied, ProtocolVersionUnsupported, InvalidArgument)


class Connection:
    """Holds one session after the other. `channel` is what other streams may use; None while there is none."""

    def __init__(
        self,
        address: str,
        session: Session,
        *,
        open_channel: Callable[[str], grpc.aio.Channel],
        backoff: Backoff,
    ) -> None:
        """`address` is where to dial first: `unix:/PATH` or `HOST:PORT`."""
        self._first_address = address
        self._session = session
        self._open_channel = open_channel
        self._backoff = backoff
        self._welcomed = False
        self._told_unreachable = False
        self.address = address
        self.channel: grpc.aio.Channel | None = None

    async def hold(self, hello: Callable[[], Awaitable[wire.ConnectRequest]], leaving: Callable[[], bool]) -> None:
        """Keep a session until `leaving`. Raises CrossfleetError when it is refused for good before the first Welcome.

        A worker that was welcomed once goes on dialling whatever happens: tests are running under it.
        """
        while not leaving():
            began = time.monotonic()
            try:
                await self._once(hello)
            except CrossfleetError as error:
                if leaving():
                    return
                if isinstance(error, _FATAL) and not self._welcomed:
                    raise
                self._turn_to(error)
                self._tell(error)
                if not isinstance(error, (Unavailable, NotLeader)):
                    self._backoff.answered()
            self._backoff.lived(time.monotonic() - began)
            await asyncio.sleep(self._backoff.next())

    def welcomed(self) -> None:
        """The present session was accepted."""
        self._welcomed = True
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

    def _turn_to(self, error: CrossfleetError) -> None:
        leader = error.metadata.get("leader", "") if isinstance(error, NotLeader) else ""
        if leader:
            self.address = leader
        elif isinstance(error, Unavailable) and self.address != self._first_address:
            self.address = self._first_address

    def _tell(self, error: CrossfleetError) -> None:
        """Log what went wrong. A coordinator that was never there is told once, after the time that a start may take."""
        told = "session lost"
        if isinstance(error, Unavailable) and not self._welcomed:
            if self._told_unreachable or not self._backoff.patient:
                return
            self._told_unreachable = True
            told = "no coordinator there yet; goes on trying"
        get_logger().warning(told, address=self.address, reason=error.reason, message=str(error))


async def probe(address: str) -> None:
    """Return when somebody listens there. Raises Unavailable.

    A plain connection is tried before gRPC's: its own back-off begins at 100 ms, too long for a cold start.
    """
    parsed = parse(address)
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            if isinstance(parsed, UnixAddress):
                _, writer = await asyncio.open_unix_connection(str(parsed.path))
            else:
                _, writer = await asyncio.open_connection(parsed.host, parsed.port)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"{address} cannot be reached: {error}", address=address) from error
    writer.close()
