"""Spans of outgoing calls. A span ends with its call, whatever ends it: an answer, an error, a cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

from crossfleet.foundation.telemetry import tracing
from crossfleet.foundation.telemetry.context import HEADER, current_traceparent

Pairs = tuple[tuple[str, str], ...]

# The loop itself holds tasks weakly.
_ending: set[asyncio.Task[None]] = set()


class ClientSpan:
    """The span of one outgoing call; nothing but the hand-over of the current trace when tracing is off."""

    def __init__(self, method: str) -> None:
        self._span: Any = None
        parent = current_traceparent()
        tracer = tracing.tracer()
        if tracer is not None:
            from opentelemetry.trace import SpanKind

            self._span = tracer.start_span(
                method.removeprefix("/"),
                context=tracing.context_of(parent),
                kind=SpanKind.CLIENT,
                attributes={"rpc.system": "grpc"},
            )
            parent = tracing.traceparent_of(self._span) or parent
        self.metadata: Pairs = ((HEADER, parent),) if parent else ()

    def follow(self, call: Any) -> None:
        """Ends the span when `call` (of grpc.aio) ends; its status code marks the span."""
        if self._span is not None:
            call.add_done_callback(self._ended)

    def _ended(self, call: Any) -> None:
        task = asyncio.ensure_future(self._end(call))
        _ending.add(task)
        task.add_done_callback(_ending.discard)

    async def _end(self, call: Any) -> None:
        from opentelemetry.trace import Status, StatusCode

        code = await call.code()
        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code.value[0] != 0:
            self._span.set_status(Status(StatusCode.ERROR, code.name))
            self._span.set_attribute("error.type", code.name)
        self._span.end()
