"""Errors through a real grpc.aio server and channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from crossfleet.foundation import errors
from crossfleet.foundation.errors.status import error_from_rpc, error_from_status, to_status, translated
from crossfleet.foundation.serve import ServerSettings
from crossfleet.foundation.testing import serving
from services.foundation.tests.echo import EchoStub, Request, echo_definition


def _not_found() -> errors.RunNotFound:
    return errors.RunNotFound("no run r-1", run="r-1")


async def test_a_unary_error_is_the_same_class_at_the_client() -> None:
    async def refuse(request: Any, context: Any) -> Any:
        raise errors.InvalidArgument(
            "1 field is wrong",
            fields=[errors.FieldViolation("targets[0].selector", "must not be empty")],
            retry_after=1.5,
            limit=7,
        )

    async with serving(echo_definition(Unary=refuse)) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EchoStub(running.channel).unary(Request())
    error = error_from_rpc(caught.value)
    assert type(error) is errors.InvalidArgument
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.message == "1 field is wrong"
    assert error.fields == (errors.FieldViolation("targets[0].selector", "must not be empty"),)
    assert error.metadata == {"limit": "7"}
    assert error.retry_after == 1.5


async def test_an_error_in_the_middle_of_a_stream_arrives_after_the_messages() -> None:
    async def down(request: Any, context: Any) -> AsyncIterator[Any]:
        yield Request(service="first")
        raise _not_found()

    received: list[str] = []
    async with serving(echo_definition(Down=down)) as running:
        with pytest.raises(errors.RunNotFound) as caught, translated():
            await _collect(EchoStub(running.channel).down(Request()), received)
    assert received == ["first"]
    assert caught.value.metadata == {"run": "r-1"}


async def test_an_error_of_a_bidirectional_stream_is_translated() -> None:
    async def both(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if request.service == "bad":
                raise _not_found()
            yield request

    async with serving(echo_definition(Both=both)) as running:
        call = EchoStub(running.channel).both()
        await call.write(Request(service="good"))
        assert (await call.read()).service == "good"
        await call.write(Request(service="bad"))
        with pytest.raises(errors.RunNotFound), translated():
            await call.read()


async def test_an_error_of_a_client_stream_is_translated() -> None:
    async def up(requests: Any, context: Any) -> Any:
        async for _ in requests:
            raise _not_found()

    async with serving(echo_definition(Up=up)) as running:
        with pytest.raises(errors.RunNotFound), translated():
            await EchoStub(running.channel).up(iter([Request()]))


async def test_a_handler_that_writes_to_its_context_is_served_and_translated() -> None:
    async def down(request: Any, context: Any) -> None:
        await context.write(Request(service="written"))
        raise _not_found()

    received: list[str] = []
    async with serving(echo_definition(Down=down)) as running:
        with pytest.raises(errors.RunNotFound), translated():
            await _collect(EchoStub(running.channel).down(Request()), received)
    assert received == ["written"]


async def test_an_unexpected_exception_tells_an_incident_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(request: Any, context: Any) -> Any:
        raise ValueError("the password is hunter2")

    async with serving(echo_definition(Unary=broken)) as running:
        with pytest.raises(errors.InternalError) as caught, translated():
            await EchoStub(running.channel).unary(Request())
    incident = caught.value.metadata["incident"]
    assert "hunter2" not in str(caught.value)
    assert incident in str(caught.value)
    logged = capsys.readouterr().err
    assert incident in logged
    assert "ValueError" in logged


async def test_an_abort_of_the_handler_itself_is_left_alone() -> None:
    async def abort(request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.ALREADY_EXISTS, "as it was said")

    async with serving(echo_definition(Unary=abort)) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EchoStub(running.channel).unary(Request())
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert caught.value.details() == "as it was said"


async def test_an_enormous_error_still_arrives_with_its_reason() -> None:
    async def refuse(request: Any, context: Any) -> Any:
        many = [errors.FieldViolation(f"cases[{i}]" * 50, "x" * 5000) for i in range(100)]
        raise errors.BlobsMissing("y" * 100_000, fields=many, digests="z" * 100_000, count=100)

    async with serving(echo_definition(Unary=refuse)) as running:
        with pytest.raises(errors.BlobsMissing) as caught, translated():
            await EchoStub(running.channel).unary(Request())
    assert caught.value.metadata["count"] == "100"
    assert "more)" in caught.value.message


async def test_text_that_is_not_unicode_does_not_break_an_error() -> None:
    async def refuse(request: Any, context: Any) -> Any:
        raise errors.WorkspaceNotFound("no \udcff there", path="\udcff")

    async with serving(echo_definition(Unary=refuse)) as running:
        with pytest.raises(errors.WorkspaceNotFound) as caught, translated():
            await EchoStub(running.channel).unary(Request())
    assert caught.value.metadata["path"] == "\\udcff"


async def test_an_unknown_method_is_unimplemented() -> None:
    async with serving(echo_definition()) as running:
        with pytest.raises(errors.Unimplemented), translated():
            await EchoStub(running.channel).missing(Request())


async def test_a_message_over_the_limit_is_refused_by_name() -> None:
    async def echo(request: Any, context: Any) -> Any:
        return request

    async with serving(echo_definition(Unary=echo), ServerSettings(message_bytes=1 << 16)) as running:
        with pytest.raises(errors.MessageTooLarge), translated():
            await EchoStub(running.channel).unary(Request(service="x" * (1 << 17)))


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with serving(echo_definition()) as running:
        await running.server.stop()
        with pytest.raises(errors.Unavailable), translated():
            await EchoStub(running.channel).unary(Request())


def test_a_stream_that_was_written_to_just_after_its_end_is_unavailable() -> None:
    late = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), details="Internal error from Core"
    )
    assert type(error_from_rpc(late)) is errors.Unavailable


async def test_a_call_over_its_deadline_is_deadline_exceeded() -> None:
    async with serving(echo_definition(Unary=_never)) as running:
        with pytest.raises(errors.DeadlineExceeded, match="no answer came in time"), translated():
            await EchoStub(running.channel).unary(Request(), timeout=0.05)


async def _never(request: Any, context: Any) -> Any:
    import asyncio

    await asyncio.Event().wait()


async def _collect(call: Any, received: list[str]) -> None:
    while (message := await call.read()) is not grpc.aio.EOF:
        received.append(message.service)


@pytest.mark.parametrize("place", ["127.0.0.1:1", "[::1]:1", "unix:/nowhere/c.sock"])
async def test_a_server_that_is_not_there_is_told_in_plain_words(place: str) -> None:
    async with grpc.aio.insecure_channel(place) as channel:
        with pytest.raises(errors.Unavailable, match=r"no connection to .*: ") as caught, translated():
            await EchoStub(channel).unary(Request(), timeout=10)
    assert caught.value.message.startswith(f"no connection to {place}: ")
    assert "all addresses" not in caught.value.message


def test_what_is_wrong_with_a_field_is_read_once_and_whole_however_long_it_is() -> None:
    long = "one of " + "x" * 400
    told = errors.InvalidArgument("one field is wrong", fields=[errors.FieldViolation("spec.title", long)])
    read = error_from_status(to_status(told))
    assert (read.message, read.fields) == (told.message, told.fields)
    both = [errors.FieldViolation("spec.title", long), errors.FieldViolation("spec.project", "a name")]
    read = error_from_status(to_status(errors.InvalidArgument("2 fields are wrong", fields=both)))
    assert read.message == "2 fields are wrong"
    assert [one.path for one in read.fields] == ["spec.title", "spec.project"]
    assert long.startswith(read.fields[0].description.partition(" ... (")[0])
