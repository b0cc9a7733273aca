"""The trace that the work in hand belongs to, as a W3C `traceparent`, with and without OpenTelemetry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from crossfleet.foundation.interceptors.layers import Call, Layer
from crossfleet.foundation.telemetry import tracing

HEADER = "traceparent"
_FORM = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_current: ContextVar[str | None] = ContextVar("crossfleet_traceparent", default=None)


def current_traceparent() -> str | None:
    """The `traceparent` to hand on (to a peer, or as TRACEPARENT to a test): the open span, else what came in."""
    return tracing.traceparent_of_span() or _current.get()


@contextmanager
def continuing(traceparent: str | None) -> Iterator[None]:
    """Makes a `traceparent` that came from outside the current one; one that is malformed is ignored."""
    before = _current.get()
    _current.set(traceparent if traceparent and _FORM.fullmatch(traceparent) else None)
    try:
        yield
    finally:
        _current.set(before)


@contextmanager
def _served(call: Call) -> Iterator[None]:
    header = call.metadata.get(HEADER)
    if header is None and not tracing.configured():
        yield
        return
    with continuing(header if isinstance(header, str) else None):
        with tracing.span(
            f"{call.service}/{call.method}",
            kind="server",
            parent=_current.get(),
            **{"rpc.system": "grpc", "rpc.service": call.service, "rpc.method": call.method},
        ):
            yield


def server_layer() -> Layer:
    """The layer that continues the caller's trace in the handler, with a span of its own when tracing is on."""
    return _served
