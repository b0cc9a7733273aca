"""Connections that come up slowly, or not at all."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import grpc
import pytest

from crossfleet.foundation.channel import CONNECT_SECONDS, open_channel
from crossfleet.foundation.testing import serving
from services.foundation.tests.echo import EchoStub, Request, echo_definition

ROUND_TRIP = 0.3


async def answer(request: Request, context: object) -> Request:
    return request


async def test_a_first_call_arrives_over_a_link_on_which_each_handshake_takes_longer_than_the_first_back_off(
    tmp_path: Path,
) -> None:
    async with serving(echo_definition(Unary=answer)) as running:

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner, outer = await asyncio.open_unix_connection(running.address.removeprefix("unix:"))
            await asyncio.gather(late(reader, outer), late(inner, writer))

        async with await asyncio.start_unix_server(carry, str(tmp_path / "far")):
            async with open_channel(f"unix:{tmp_path}/far") as channel:
                found = await EchoStub(channel).unary(Request(service="x"), timeout=10)
    assert found.service == "x"


async def late(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Carries what comes, half a round trip later."""
    while piece := await source.read(65536):
        await asyncio.sleep(ROUND_TRIP / 2)
        sink.write(piece)
    sink.close()


async def test_an_address_where_nobody_says_a_word_costs_seconds_and_not_the_whole_time_of_a_call(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(tmp_path / "frozen"))
        frozen.listen(16)
        async with open_channel(f"unix:{tmp_path}/frozen") as channel:
            began = time.monotonic()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await EchoStub(channel).unary(Request(service="x"), timeout=30)
            took = time.monotonic() - began
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert took < CONNECT_SECONDS + 3
