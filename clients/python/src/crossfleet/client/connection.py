"""One channel to a fleet, with the rule for what is tried again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from crossfleet.client.endpoint import Endpoint
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.following.attention import attended
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.pursuit import Pursuit, pursue
from crossfleet.foundation.following.route import Route

Answer = TypeVar("Answer")


class Connection:
    """A channel that follows the leader, and how long a fleet may be away before that is an error.

    `timeout` is the longest that one try may take, in seconds.
    """

    def __init__(self, channel: FollowingChannel, *, timeout: float = 30.0, outage_seconds: float = 60.0) -> None:
        self.channel = channel
        self.timeout = timeout
        self.outage_seconds = outage_seconds

    @staticmethod
    def open(endpoint: Endpoint, *, timeout: float = 30.0, clock: Clock | None = None) -> Connection:
        """A channel to `endpoint`; nothing is sent yet. Raises what `Route` and `open_channel` raise."""
        credentials = endpoint.credentials
        channel = FollowingChannel(Route(endpoint.address, credentials.check), credentials.open, clock)
        return Connection(channel, timeout=timeout, outage_seconds=endpoint.outage_seconds)

    async def call(self, attempt: Callable[[float], Awaitable[Answer]]) -> Answer:
        """The answer of `attempt(timeout)`, made again, here or where the leader is, while the fleet is away.

        Raises the CrossfleetError that the fleet answered. Only idempotent calls may come here.
        """
        return await pursue(self.channel, lambda: attempt(self.timeout), self.outage_seconds)

    def pursuit(self, outage_seconds: float | None = None, *, passing: frozenset[str] = frozenset()) -> Pursuit:
        """For a stream that is taken up again where it broke off, also after reasons that are `passing`."""
        seconds = self.outage_seconds if outage_seconds is None else outage_seconds
        return Pursuit(self.channel, seconds, passing=passing)

    def attend(self, pursuit: Pursuit, call: Any) -> AsyncGenerator[Any, None]:
        """The responses of a stream that `pursuit` has begun; Unavailable soon after its coordinator froze or was cut off."""
        return attended(self.channel, pursuit.seat, call)
