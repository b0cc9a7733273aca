"""Traces: W3C trace context always, OpenTelemetry spans only when an exporter is configured."""

from __future__ import annotations

from crossfleet.foundation.telemetry.context import continuing, current_traceparent, server_layer
from crossfleet.foundation.telemetry.tracing import configure, configured, shut_down, span

__all__ = [
    "configure",
    "configured",
    "continuing",
    "current_traceparent",
    "server_layer",
    "shut_down",
    "span",
]
