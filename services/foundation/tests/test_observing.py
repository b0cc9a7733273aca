"""Traces and metrics of real calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from crossfleet.foundation import errors, telemetry
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.serve import Server, ServerSettings
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually
from services.foundation.tests.echo import NAME, EchoStub, Request, echo_definition

_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def _trace(request: Any, context: Any) -> Any:
    return Request(service=telemetry.current_traceparent() or "none")


async def _broken(request: Any, context: Any) -> Any:
    raise ValueError("why")


async def _refusing_stream(request: Any, context: Any) -> AsyncIterator[Any]:
    yield Request()
    raise errors.RunNotFound("no run")


@pytest.fixture
def spans() -> Iterator[Any]:
    exporter = InMemorySpanExporter()
    telemetry.configure("tests", exporter=exporter)

    def finished() -> list[Any]:
        telemetry.tracing._State.provider.force_flush()
        return list(exporter.get_finished_spans())

    yield finished
    telemetry.shut_down()


def test_tracing_stays_off_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in telemetry.tracing.ENDPOINT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert telemetry.configure("tests") is False
    assert not telemetry.configured()


async def test_a_trace_passes_through_a_service_without_opentelemetry() -> None:
    async with serving(echo_definition(Unary=_trace)) as running:
        stub = EchoStub(running.channel)
        with telemetry.continuing(_PARENT):
            assert (await stub.unary(Request())).service == _PARENT
        assert (await stub.unary(Request())).service == "none"
        with telemetry.continuing("rubbish"):
            assert (await stub.unary(Request())).service == "none"


async def test_a_span_of_a_call_continues_the_callers_trace(spans: Any) -> None:
    async with serving(echo_definition(Unary=_trace)) as running:
        with telemetry.span("client", parent=_PARENT):
            inside = (await EchoStub(running.channel).unary(Request())).service
    served = next(span for span in spans() if span.kind is SpanKind.SERVER)
    assert served.name == f"{NAME}/Unary"
    assert f"{served.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert inside == f"00-{served.context.trace_id:032x}-{served.context.span_id:016x}-01"
    assert served.status.status_code is StatusCode.UNSET


async def test_an_outgoing_call_has_a_span_that_ends_with_its_status(spans: Any) -> None:
    async with serving(echo_definition(Unary=_trace, Down=_refusing_stream)) as running:
        stub = EchoStub(running.channel)
        await stub.unary(Request())
        with pytest.raises(errors.RunNotFound), translated():
            call = stub.down(Request())
            await call.read()
            await call.read()
        made = await eventually(lambda: [span for span in spans() if span.kind is SpanKind.CLIENT][1:] and spans())
    client = {span.name: span for span in made if span.kind is SpanKind.CLIENT}
    served = {span.name: span for span in made if span.kind is SpanKind.SERVER}
    assert client[f"{NAME}/Unary"].status.status_code is StatusCode.UNSET
    assert client[f"{NAME}/Down"].status.description == "NOT_FOUND"
    assert served[f"{NAME}/Unary"].parent.span_id == client[f"{NAME}/Unary"].context.span_id


async def test_a_span_is_an_error_after_an_exception_that_nobody_foresaw(spans: Any) -> None:
    async with serving(echo_definition(Unary=_broken, Down=_refusing_stream)) as running:
        stub = EchoStub(running.channel)
        with pytest.raises(errors.InternalError), translated():
            await stub.unary(Request())
        with pytest.raises(errors.RunNotFound), translated():
            call = stub.down(Request())
            await call.read()
            await call.read()
    statuses = {span.name: span.status for span in spans() if span.kind is SpanKind.SERVER}
    assert statuses[f"{NAME}/Unary"].status_code is StatusCode.ERROR
    assert statuses[f"{NAME}/Unary"].description == "ValueError"
    assert statuses[f"{NAME}/Down"].description == "RUN_NOT_FOUND"


async def _get(address: str, request: bytes) -> str:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.decode()


async def test_metrics_count_calls_by_method_and_code() -> None:
    definition = echo_definition(Unary=_broken, Down=_refusing_stream)
    async with serving(definition, ServerSettings(metrics="127.0.0.1:0")) as running:
        stub = EchoStub(running.channel)
        with pytest.raises(errors.InternalError), translated():
            await stub.unary(Request())
        with pytest.raises(errors.RunNotFound), translated():
            await stub.down(Request()).read()
            call = stub.down(Request())
            await call.read()
            await call.read()
        page = await _get(running.server.metrics_address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        missing = await _get(running.server.metrics_address, b"GET / HTTP/1.1\r\n\r\n")
        posted = await _get(running.server.metrics_address, b"POST /metrics HTTP/1.1\r\n\r\n")
    assert page.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/plain")
    assert f'crossfleet_rpc_calls_total{{code="INTERNAL",method="Unary",service="{NAME}"}} 1.0' in page
    assert f'crossfleet_rpc_calls_total{{code="NOT_FOUND",method="Down",service="{NAME}"}}' in page
    assert f'crossfleet_rpc_seconds_count{{method="Unary",service="{NAME}"}} 1.0' in page
    assert missing.startswith("HTTP/1.1 404")
    assert posted.startswith("HTTP/1.1 405")


async def test_a_metrics_port_in_use_stops_the_start() -> None:
    async with serving(echo_definition(), ServerSettings(metrics="127.0.0.1:0")) as running:
        taken = ServerSettings(metrics=running.server.metrics_address)
        with pytest.raises(errors.PortInUse):
            await Server(echo_definition(), taken).start()
