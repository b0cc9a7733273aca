"""Spans through OpenTelemetry. Its SDK is imported only by `configure`, and only when there is an endpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from crossfleet.foundation.errors.base import CrossfleetError

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class _State:
    """What `configure` made for this process."""

    tracer: Any = None
    provider: Any = None


def configured() -> bool:
    """Whether spans are recorded in this process."""
    return _State.tracer is not None


def configure(service: str, endpoint: str | None = None, *, exporter: Any = None) -> bool:
    """Turns tracing on when there is somewhere to send spans: `endpoint`, OTEL_EXPORTER_OTLP_ENDPOINT or `exporter`.

    Returns whether it is on. Spans are batched on a thread, dropped when the queue of 2,048 is full, and never block.
    """
    if exporter is None and not endpoint and not any(os.environ.get(name) for name in ENDPOINT_VARIABLES):
        return False
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if exporter is None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=endpoint) if endpoint else OTLPSpanExporter()
    shut_down()
    provider = TracerProvider(resource=Resource.create({"service.name": f"crossfleet-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _State.provider, _State.tracer = provider, provider.get_tracer("crossfleet")
    return True


def shut_down() -> None:
    """Sends what is still queued and turns tracing off."""
    provider, _State.provider, _State.tracer = _State.provider, None, None
    if provider is not None:
        provider.shutdown()


@contextmanager
def span(
    name: str,
    *,
    kind: Literal["internal", "server", "client"] = "internal",
    parent: str | None = None,
    **attributes: str | float | bool,
) -> Iterator[None]:
    """A span round the block, child of the open span or of the `traceparent` given; nothing when tracing is off.

    An exception marks it as an error, also one that nobody foresaw (CrossfleetError by its reason, others by type);
    a caller that gave up does not.
    """
    if _State.tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    kinds = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
    with _State.tracer.start_as_current_span(
        name,
        context=context_of(parent),
        kind=kinds[kind],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield
        except Exception as error:
            reason = error.reason if isinstance(error, CrossfleetError) else type(error).__name__
            opened.set_status(Status(StatusCode.ERROR, reason))
            opened.set_attribute("error.type", reason)
            raise


def traceparent_of_span() -> str | None:
    """The `traceparent` of the open span; None when tracing is off or no span is open."""
    if _State.tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    return traceparent_of(get_current_span())


def traceparent_of(span: Any) -> str | None:
    """The `traceparent` of an OpenTelemetry span; None for one that is not recorded anywhere."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def tracer() -> Any:
    """The tracer of this process; None when tracing is off."""
    return _State.tracer


def context_of(traceparent: str | None) -> Any:
    """The OpenTelemetry context that a `traceparent` stands for; None (the current one) without it."""
    if traceparent is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})
