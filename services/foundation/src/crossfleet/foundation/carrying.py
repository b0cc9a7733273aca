"""A channel whose calls carry the token and the trace of the caller.

grpc.aio's own client interceptors put a proxy and a queue between the caller and each stream; here the call object
is grpc's own, and only its metadata is added to.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from crossfleet.foundation.telemetry.calls import ClientSpan

Pairs = tuple[tuple[str, str], ...]


class CarryingChannel(grpc.aio.Channel):
    """Wraps a channel; `own` is the metadata that every call carries."""

    def __init__(self, inner: grpc.aio.Channel, own: Pairs) -> None:
        self._inner = inner
        self._own = own

    def unary_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._carrying(method, self._inner.unary_unary(method, *arguments, **named))

    def unary_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._carrying(method, self._inner.unary_stream(method, *arguments, **named))

    def stream_unary(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._carrying(method, self._inner.stream_unary(method, *arguments, **named))

    def stream_stream(self, method: str, *arguments: Any, **named: Any) -> Any:
        """As grpc.aio.Channel."""
        return self._carrying(method, self._inner.stream_stream(method, *arguments, **named))

    def _carrying(self, name: str, begin: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, metadata: Any = None, **named: Any) -> Any:
            span = ClientSpan(name)
            carried = self._own + span.metadata
            if carried:
                metadata = (*carried, *(metadata or ()))
            begun = begin(*arguments, metadata=metadata, **named)
            span.follow(begun)
            return begun

        return call

    async def close(self, grace: float | None = None) -> None:
        """As grpc.aio.Channel."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """As grpc.aio.Channel."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """As grpc.aio.Channel."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """As grpc.aio.Channel."""
        await self._inner.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._inner.close(None)
