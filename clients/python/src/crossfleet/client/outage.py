"""What a person is told of a coordinator that goes away while a run is followed."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from crossfleet.foundation.errors import CrossfleetError, NotLeader
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.following.pursuit import Pursuit

_PATIENCE_SECONDS = 1.0


def nobody(_: str) -> None:
    """Takes a line that nobody wants."""


class Outage:
    """A stream's pursuit of the leader, told in lines: one when it lasts, one when another coordinator is followed."""

    def __init__(self, pursuit: Pursuit, tell: Callable[[str], None]) -> None:
        self._pursuit = pursuit
        self._tell = tell
        self._home = ""
        self._told = False

    def over(self) -> None:
        """The stream has brought something."""
        self._pursuit.advanced()
        address = self._pursuit.seat.address
        if self._home and address != self._home:
            self._tell(f"the coordinator was lost; following {address}")
        elif self._told:
            self._tell(f"the coordinator at {address} is back")
        self._home, self._told = address, False

    async def goes_on(self, failure: CrossfleetError | grpc.RpcError) -> None:
        """Waits as `Pursuit.after`, and raises what it raises."""
        cause = failure if isinstance(failure, CrossfleetError) else error_from_rpc(failure)
        if not self._home and not isinstance(cause, NotLeader):  # a stream that was merely sent on has lost nobody
            self._home = self._pursuit.seat.address
        if self._home and not self._told and self._pursuit.failing > _PATIENCE_SECONDS:
            self._told = True
            self._tell(f"the coordinator at {self._home} is away; trying for {self._pursuit.seconds:.0f} s")
        await self._pursuit.after(cause)
