"""Servers: addresses, access, health, reflection, draining."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from crossfleet.foundation import errors
from crossfleet.foundation.auth import current_principal
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.serve import Server, ServerSettings
from crossfleet.foundation.testing import serving
from services.foundation.tests.echo import NAME, EchoStub, Request, echo_definition


async def _echo(request: Any, context: Any) -> Any:
    return request


async def _whoami(request: Any, context: Any) -> Any:
    principal = current_principal()
    return Request(service=principal.kind if principal else "nobody")


def _health(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


async def test_a_unix_socket_is_private_and_gone_after_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "run" / "s"
    async with serving(echo_definition(Unary=_echo), ServerSettings(listen=(f"unix:{path}",))) as running:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert (await EchoStub(running.channel).unary(Request(service="hi"))).service == "hi"
    assert not path.exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(echo_definition(Unary=_echo), ServerSettings(listen=(f"unix:{path}",))) as running:
        assert (await EchoStub(running.channel).unary(Request(service="hi"))).service == "hi"


async def test_a_living_socket_is_not_taken_away(tmp_path: Path) -> None:
    settings = ServerSettings(listen=(f"unix:{tmp_path / 's'}",))
    async with serving(echo_definition(Unary=_echo), settings) as running:
        with pytest.raises(errors.PortInUse):
            await Server(echo_definition(), settings).start()
        assert (await EchoStub(running.channel).unary(Request(service="hi"))).service == "hi"


async def test_a_file_in_the_place_of_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(errors.AddressInvalid, match="not a socket"):
        await Server(echo_definition(), ServerSettings(listen=(f"unix:{path}",))).start()
    assert path.read_text() == "mine"


async def test_a_socket_in_a_folder_of_everybody_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(errors.FilePermissionsUnsafe):
        await Server(echo_definition(), ServerSettings(listen=(f"unix:{tmp_path / 's'}",))).start()


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("unix:/" + "x" * 108, errors.SocketPathTooLong),
        ("unix:relative", errors.AddressInvalid),
        ("localhost", errors.AddressInvalid),
        ("127.0.0.1:65536", errors.AddressInvalid),
        ("::1:80", errors.AddressInvalid),
        ("0.0.0.0:0", errors.InsecureTransport),
        ("127.0.0.1:0", errors.InsecureTransport),
        ("no.such.host.invalid:0", errors.InsecureTransport),
    ],
)
async def test_addresses_that_cannot_be_served_are_refused(address: str, error: type[errors.CrossfleetError]) -> None:
    with pytest.raises(error):
        await Server(echo_definition(), ServerSettings(listen=(address,))).start()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = ServerSettings(listen=(f"unix:{tmp_path / 's'}", address), token_file=str(tmp_path / "token"))
        with pytest.raises(errors.PortInUse, match=address):
            await Server(echo_definition(), settings).start()
    assert not (tmp_path / "s").exists()


async def test_tcp_needs_the_token_and_health_does_not(tmp_path: Path) -> None:
    token = tmp_path / "token"
    settings = ServerSettings(listen=("127.0.0.1:0",), token_file=str(token))
    async with serving(echo_definition(Unary=_whoami), settings) as running:
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert (await EchoStub(running.channel).unary(Request())).service == "token"
        async with open_channel(running.address) as nobody:
            with pytest.raises(errors.Unauthenticated), translated():
                await EchoStub(nobody).unary(Request())
            answer = await _health(nobody).Check(health_pb2.HealthCheckRequest(service=NAME))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        async with open_channel(running.address, token="wrong") as liar:
            with pytest.raises(errors.Unauthenticated), translated():
                await EchoStub(liar).unary(Request())


async def test_a_caller_on_a_unix_socket_is_local() -> None:
    async with serving(echo_definition(Unary=_whoami)) as running:
        assert (await EchoStub(running.channel).unary(Request())).service == "local"


async def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc\n")
    token.chmod(0o644)
    with pytest.raises(errors.FilePermissionsUnsafe, match="chmod 600"):
        await Server(echo_definition(), ServerSettings(listen=("127.0.0.1:0",), token_file=str(token))).start()


async def test_a_token_is_not_sent_in_the_clear_to_another_machine() -> None:
    with pytest.raises(errors.InsecureTransport):
        open_channel("10.0.0.1:80", token="abc")


async def test_the_http_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    settings = ServerSettings(listen=("127.0.0.1:0",), token_file=str(tmp_path / "token"))
    async with serving(echo_definition(Unary=_echo), settings) as running:
        assert (await EchoStub(running.channel).unary(Request(service="hi"), timeout=5)).service == "hi"


async def test_health_answers_per_service_and_for_the_server() -> None:
    async with serving(echo_definition()) as running:
        stub = _health(running.channel)
        for name in ("", NAME):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="no.such"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services(version: str) -> None:
    async with serving(echo_definition()) as running:
        call: Any = running.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        names = {service.name for service in answer.list_services_response.service}
        assert {NAME, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= names
        await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"))
        assert (await call.read()).file_descriptor_response.file_descriptor_proto
        await call.done_writing()


async def test_draining_ends_open_streams_long_before_the_grace_is_over() -> None:
    draining = Draining()

    async def both(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in draining.until(requests):
            yield request
        yield Request(service="goodbye")

    settings = ServerSettings(stop_seconds=30)
    async with serving(echo_definition(Both=both), settings, draining=draining) as running:
        call = EchoStub(running.channel).both()
        await call.write(Request(service="hi"))
        assert (await call.read()).service == "hi"
        health = _health(running.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
        stopping = asyncio.ensure_future(running.server.stop())
        assert (await call.read()).service == "goodbye"
        assert await call.read() is grpc.aio.EOF
        assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await asyncio.wait_for(stopping, 5)


async def test_a_drain_hook_that_hangs_is_cut_off() -> None:
    draining = Draining()
    finished: list[str] = []

    async def quick() -> None:
        finished.append("quick")

    draining.on_drain(asyncio.Event().wait)
    draining.on_drain(quick)
    async with serving(echo_definition(), ServerSettings(drain_seconds=0.05), draining=draining) as running:
        await asyncio.wait_for(running.server.stop(), 5)
    assert finished == ["quick"]


async def test_calls_that_do_not_end_are_cancelled_after_the_grace() -> None:
    ended = asyncio.Event()

    begun = asyncio.Event()

    async def stuck(request: Any, context: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(echo_definition(Unary=stuck), ServerSettings(stop_seconds=0.05)) as running:
        call = asyncio.ensure_future(EchoStub(running.channel).unary(Request()))
        await asyncio.wait_for(begun.wait(), 5)
        await running.server.stop()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    await asyncio.wait_for(ended.wait(), 5)


async def test_layers_of_the_definition_surround_each_call() -> None:
    import contextlib
    from collections.abc import Iterator

    seen: list[str] = []

    @contextlib.contextmanager
    def layer(call: Any) -> Iterator[None]:
        seen.append(f"enter {call.service}/{call.method}")
        yield
        seen.append("leave")

    definition = echo_definition(Unary=_echo)
    definition = type(definition)(definition.name, definition.servicers, layers=[layer])
    async with serving(definition) as running:
        await EchoStub(running.channel).unary(Request())
    assert seen == [f"enter {NAME}/Unary", "leave"]


async def test_a_socket_path_is_limited_in_bytes_not_letters(tmp_path: Path) -> None:
    path = "/" + "é" * 60
    assert len(os.fsencode(path)) > 107
    with pytest.raises(errors.SocketPathTooLong):
        await Server(echo_definition(), ServerSettings(listen=(f"unix:{path}",))).start()
    assert msgspec.structs.asdict(ServerSettings())["listen"] == ()


async def test_calls_over_the_limit_are_refused_by_name() -> None:
    begun = asyncio.Event()

    async def stuck(request: Any, context: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    async with serving(echo_definition(Unary=stuck), ServerSettings(open_calls=1, stop_seconds=0)) as running:
        stub = EchoStub(running.channel)
        first = asyncio.ensure_future(stub.unary(Request()))
        await asyncio.wait_for(begun.wait(), 5)
        with pytest.raises(errors.TooManyOpen), translated():
            await stub.unary(Request())
        first.cancel()


async def test_a_server_without_addresses_starts_and_stops() -> None:
    server = Server(echo_definition(), ServerSettings())
    assert await server.start() == ()
    await server.stop()
    await server.stop()
    assert server.draining.begun


async def test_a_call_whose_caller_left_fails_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def stubborn(request: Any, context: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()
            raise ValueError("cleaning up failed") from None

    async with serving(echo_definition(Unary=stubborn)) as running:
        call = EchoStub(running.channel).unary(Request())
        await asyncio.wait_for(begun.wait(), 5)
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)
    assert "cleaning up failed" not in capsys.readouterr().err
