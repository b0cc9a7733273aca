"""A channel to whichever coordinator is asked at a time."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.following.route import Route, Seat
from crossfleet.foundation.retry import RetryBudget

_MOST_LINES = 8
_BUDGET = 400.0
"""Twice as many moves without a success as an outage of some three minutes has."""


class _Line:
    """An open channel with the calls that are under way on it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls = 0
        self.methods: dict[tuple[str, str], Callable[..., Any]] = {}

    def begin(self, kind: str, method: str, options: Any, call: Any) -> Any:
        """The call object of a call that begins now."""
        known = self.methods.get((kind, method))
        if known is None:
            arguments, named = options
            known = self.methods[kind, method] = getattr(self.channel, kind)(method, *arguments, **named)
        arguments, named = call
        begun = known(*arguments, **named)
        self.calls += 1
        begun.add_done_callback(self._ended)
        return begun

    def _ended(self, _: Any) -> None:
        self.calls -= 1


class FollowingChannel(grpc.aio.Channel):
    """Each call goes to the seat of `route` at its beginning; calls under way stay where they are when the route turns.

    Stubs are made of it once. It turns nothing by itself: `Pursuit` does, who knows what became of a call.
    """

    def __init__(self, route: Route, open_line: Callable[[str], grpc.aio.Channel], clock: Clock | None = None) -> None:
        """`open_line(address)` opens a channel with the caller's credentials."""
        self.route = route
        self.clock = clock or SystemClock()
        self.budget = RetryBudget(_BUDGET)
        self.met = False
        """Whether any coordinator has ever answered, be it with a refusal."""
        self.probed = -1
        """Number of the seat that was last found to listen."""
        self._open_line = open_line
        self._lines: dict[str, _Line] = {}

    @property
    def seat(self) -> Seat:
        """Where a call that begins now goes."""
        return self.route.seat

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._following("unary_unary", method, (arguments, named))

    def unary_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._following("unary_stream", method, (arguments, named))

    def stream_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._following("stream_unary", method, (arguments, named))

    def stream_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._following("stream_stream", method, (arguments, named))

    def _following(self, kind: str, method: str, options: Any) -> Callable[..., Any]:
        return lambda *arguments, **named: self._line().begin(kind, method, options, (arguments, named))

    def _line(self) -> _Line:
        address = self.route.seat.address
        line = self._lines.pop(address, None) or _Line(self._open_line(address))
        self._lines[address] = line  # the newest is the last
        return line

    async def tidy(self) -> None:
        """Close the lines that have been unused longest, where there are many: leaders come and go at new addresses."""
        spare = [address for address, line in self._lines.items() if not line.calls]
        idle = [self._lines.pop(address) for address in spare[: max(0, len(self._lines) - _MOST_LINES)]]
        for line in idle:  # nobody finds them any more
            await line.channel.close()

    async def close(self, grace: float | None = None) -> None:
        """As grpc.aio.Channel."""
        while self._lines:
            _, line = self._lines.popitem()
            await line.channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """As grpc.aio.Channel, of the present seat."""
        return self._line().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """As grpc.aio.Channel, of the present seat."""
        await self._line().channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """As grpc.aio.Channel, of the present seat."""
        await self._line().channel.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
