from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import log_service_pb2 as log_pb2
from crossfleet.api.coordinator.v1.run_service_pb2 import CancelRunRequest
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.coordinator.logs.store import LogStore
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import Running, noop, running


def chunk(run_id: str, content: bytes, slot: int = 0, worker: str = "w1") -> log_pb2.LogChunk:
    return log_pb2.LogChunk(
        run_id=run_id,
        target="default",
        worker_id=worker,
        slot=slot,
        stream=log_pb2.LOG_STREAM_STDOUT,
        content=content,
        unix_seconds=5.0,
    )


async def push(fleet: Running, *chunks: log_pb2.LogChunk) -> int:
    async def sent() -> AsyncIterator[log_pb2.PushLogsRequest]:
        yield log_pb2.PushLogsRequest(chunks=chunks)

    return (await fleet.logs.PushLogs(sent())).stored_bytes


async def read(fleet: Running, run_id: str, **more: Any) -> list[log_pb2.LogChunk]:
    request = log_pb2.ReadLogsRequest(run_id=run_id, **more)
    return [one async for response in fleet.logs.ReadLogs(request) for one in response.chunks]


async def test_output_comes_back_as_bytes_in_order_for_each_slot(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id
        stored = await push(fleet, chunk(run_id, b"one\xff"), chunk(run_id, b"other", slot=1), chunk(run_id, b"two"))
        found = await read(fleet, run_id)
        only = await read(fleet, run_id, worker_id="w2")

    assert stored == 12
    assert [(one.slot, one.content) for one in found] == [(0, b"one\xff"), (0, b"two"), (1, b"other")]
    assert (found[0].stream, found[0].unix_seconds) == (1, 5.0)
    assert only == []


async def test_a_follower_sees_what_comes_until_the_run_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id
        await push(fleet, chunk(run_id, b"before"))
        call: Any = fleet.logs.ReadLogs(log_pb2.ReadLogsRequest(run_id=run_id, follow=True))
        first = await asyncio.wait_for(call.read(), 5)
        await push(fleet, chunk(run_id, b"after"))
        second = await asyncio.wait_for(call.read(), 5)
        await fleet.runs.CancelRun(CancelRunRequest(run_id=run_id))
        end = await asyncio.wait_for(call.read(), 5)

    assert [first.chunks[0].content, second.chunks[0].content] == [b"before", b"after"]
    assert end is grpc.aio.EOF


def test_a_log_over_its_cap_is_cut_with_a_mark(tmp_path: Path) -> None:
    store = LogStore(tmp_path, slot_cap_bytes=10)
    source = LogSource("run", "default", "w1", 0)
    for _ in range(5):
        store.append(source, [Piece(1, b"123456", 0.0)])

    found = b"".join(piece.content for piece in store.read(source, 0, 1000))

    assert found.startswith(b"1234561234")
    assert b"cut: more than 10 bytes" in found
    assert found.count(b"cut") == 1


@pytest.mark.parametrize("worker", ["../w", "", "."])
async def test_a_source_that_leaves_the_folder_is_refused(tmp_path: Path, worker: str) -> None:
    async with running(tmp_path) as fleet:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await push(fleet, chunk("run-1", b"x", worker=worker))

    assert error_from_rpc(caught.value).reason == "INVALID_ARGUMENT"
