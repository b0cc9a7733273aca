"""The client against a scripted fleet over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clients.python.tests.scripted_fleet import Script, ScriptedFleet
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.client.artifacts import ArtifactCalls, Blob
from crossfleet.client.connection import Connection
from crossfleet.client.events import EventCalls
from crossfleet.foundation.errors import DigestMismatch, IdempotencyConflict, RunNotFound, Unavailable
from crossfleet.foundation.testing import JumpingClock, serving

PASSED, FAILED = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_FAILED
FIVE = {f"tests/test_a.py::test_{number}": PASSED for number in range(5)}


def spec(title: str = "") -> run_pb2.RunSpec:
    return run_pb2.RunSpec(title=title, targets=[suite_pb2.Target(name="default")])


@asynccontextmanager
async def fleet_and_client(script: Script | None = None) -> AsyncIterator[tuple[ScriptedFleet, Client]]:
    fleet = ScriptedFleet(script)
    async with serving(fleet.definition) as running, Client.open(Endpoint(running.address)) as client:
        yield fleet, client


async def test_a_submission_whose_answer_was_lost_is_one_run() -> None:
    async with fleet_and_client(Script(unavailable_answers=2)) as (fleet, client):
        answer = await client.runs.submit(spec())
        assert answer.run.run_id == "run-1"
        assert len(fleet.runs.by_request) == 1


async def test_a_request_id_used_for_another_run_is_refused() -> None:
    async with fleet_and_client() as (_, client):
        await client.runs.submit(spec("one"), request_id="same")
        with pytest.raises(IdempotencyConflict) as caught:
            await client.runs.submit(spec("two"), request_id="same")
        assert caught.value.metadata["request_id"] == "same"


async def test_a_run_that_is_not_there_is_named() -> None:
    async with fleet_and_client() as (_, client):
        with pytest.raises(RunNotFound, match="no run run-9"):
            await client.runs.get("run-9")


async def test_cases_come_over_all_pages() -> None:
    async with fleet_and_client(Script(FIVE, page=2)) as (_, client):
        run = (await client.runs.submit(spec())).run
        assert [case.case_id async for case in client.runs.cases(run.run_id)] == list(FIVE)


async def test_workers_come_over_all_pages() -> None:
    async with fleet_and_client() as (_, client):
        assert [status.worker.worker_id async for status in client.fleet.workers()] == ["w1", "w2", "w3"]


async def test_a_watch_misses_and_repeats_nothing_over_broken_streams() -> None:
    async with fleet_and_client(Script(FIVE, break_stream_after=[3, 0, 2])) as (fleet, client):
        answer = await client.runs.submit(spec())
        watching = client.events.watch(after=answer.event_cursor, run_id=answer.run.run_id, until_finished=True)
        assert [event.cursor async for event in watching] == [f"c{number}" for number in range(1, 9)]
        assert fleet.events.asked_after == ["c0", "c3", "c3", "c5"]


async def test_a_watch_of_a_run_that_is_not_there_ends_with_its_error() -> None:
    async with fleet_and_client() as (_, client):
        with pytest.raises(RunNotFound):
            async for _ in client.events.watch(run_id="run-9", until_finished=True):
                pass


async def test_a_watch_gives_up_when_the_fleet_stays_away() -> None:
    clock = JumpingClock()
    connection = Connection.open(Endpoint("unix:/tmp/cf-nobody-is-here", outage_seconds=5.0), clock=clock)
    connection.channel.met = True
    with pytest.raises(Unavailable, match="no coordinator answered for 5 s at unix:/tmp/cf-nobody-is-here"):
        async for _ in EventCalls(connection).watch(run_id="run-1"):
            pass
    assert 5.0 <= clock.monotonic() < 7.0
    await connection.channel.close()


@asynccontextmanager
async def uploads(script: Script) -> AsyncIterator[tuple[ScriptedFleet, ArtifactCalls]]:
    fleet = ScriptedFleet(script)
    async with serving(fleet.definition) as running:
        connection = Connection.open(Endpoint(running.address))
        yield fleet, ArtifactCalls(connection)
        await connection.channel.close()


async def test_a_broken_upload_goes_on_where_it_stopped() -> None:
    large = Blob.of_bytes(bytes(range(256)) * 4096 * 3)
    async with uploads(Script(break_upload_after=[2])) as (fleet, artifacts):
        assert await artifacts.upload([large]) == large.size_bytes
        assert fleet.blobs.stored[large.digest] == large.content
        assert fleet.blobs.received == large.size_bytes


async def test_only_what_is_missing_is_sent() -> None:
    first, second = Blob.of_bytes(b"first"), Blob.of_bytes(b"second, longer")
    async with uploads(Script()) as (fleet, artifacts):
        assert await artifacts.upload([first, first]) == 5
        assert await artifacts.upload([first, second, Blob.of_bytes(b"")]) == second.size_bytes
        assert set(fleet.blobs.stored.values()) == {b"first", b"second, longer", b""}


async def test_bytes_that_are_not_what_their_digest_names_are_refused() -> None:
    wrong = Blob(Blob.of_bytes(b"right").digest, 5, None, b"wrong")
    async with uploads(Script()) as (_, artifacts):
        with pytest.raises(DigestMismatch):
            await artifacts.upload([wrong])


async def test_a_download_that_is_not_what_was_asked_for_is_noticed() -> None:
    async with uploads(Script()) as (fleet, artifacts):
        fleet.blobs.stored["a" * 64] = b"something else"
        with pytest.raises(DigestMismatch):
            _ = [piece async for piece in artifacts.download("a" * 64)]
