"""A client among several coordinators: it finds the one that leads, and goes on when that one is lost."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from clients.python.tests.coordinators import Coordinators, coordinators
from clients.python.tests.scripted_fleet import Script
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.client.artifacts import Blob
from crossfleet.foundation.errors import AddressInvalid, InsecureTransport, NoLeader, NotLeader, Unavailable
from crossfleet.foundation.following import attention
from crossfleet.foundation.testing import JumpingClock
from crossfleet.foundation.wait import eventually

PASSED = result_pb2.OUTCOME_PASSED
FIVE = {f"tests/test_a.py::test_{number}": PASSED for number in range(5)}


def spec() -> run_pb2.RunSpec:
    return run_pb2.RunSpec(targets=[suite_pb2.Target(name="default")])


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cf-") as name:
        yield Path(name)


@pytest_asyncio.fixture
async def several(folder: Path) -> AsyncIterator[Coordinators]:
    async with coordinators(folder, Script(FIVE)) as opened:
        yield opened


async def test_a_submission_to_a_follower_goes_to_the_leader_that_it_names(several: Coordinators) -> None:
    leader = await several.add()
    follower = await several.add(leader.address)
    async with several.client(follower) as client:
        await client.runs.submit(spec())
        await client.runs.submit(spec())
    assert (follower.calls, leader.calls) == (["SubmitRun"], ["SubmitRun", "SubmitRun"])
    assert len(several.fleet.runs.by_request) == 2


async def test_reads_stay_where_they_are_answered(several: Coordinators) -> None:
    leader = await several.add()
    follower = await several.add(leader.address)
    async with several.client(follower, leader) as client:
        for _ in range(3):
            await client.fleet.summary()
    assert (len(follower.calls), leader.calls) == (3, [])


async def test_a_coordinator_that_is_gone_is_passed_over(several: Coordinators) -> None:
    gone = await several.add()
    await gone.stop()
    await several.add()
    async with several.client() as client:
        assert (await client.runs.submit(spec())).run.run_id == "run-1"


async def test_a_call_waits_while_a_leader_is_elected(several: Coordinators) -> None:
    one, two = await several.add(""), await several.add("")
    async with several.client() as client:
        submitting = asyncio.ensure_future(client.runs.submit(spec()))
        await eventually(lambda: one.calls and two.calls, what="both were asked")
        two.names, one.names = None, two.address
        assert (await submitting).run.run_id == "run-1"


async def test_a_leader_that_others_still_name_though_it_is_gone_is_waited_for_no_longer_than_that(
    several: Coordinators,
) -> None:
    gone = await several.add()
    await gone.stop()
    one, two = await several.add(gone.address), await several.add(gone.address)
    async with several.client() as client:
        submitting = asyncio.ensure_future(client.runs.submit(spec()))
        await eventually(lambda: len(one.calls) > 1 and len(two.calls) > 1, what="both were asked twice")
        two.names = None
        assert (await submitting).run.run_id == "run-1"


async def test_many_calls_at_once_outlive_the_leader(several: Coordinators) -> None:
    leader = await several.add()
    successor = await several.add(leader.address)
    async with several.client() as client:
        await client.runs.submit(spec())
        await leader.stop()
        submitting = [asyncio.ensure_future(client.runs.submit(spec())) for _ in range(50)]
        await eventually(lambda: successor.calls, what="the follower was asked")
        successor.names = None
        await asyncio.gather(*submitting)
    assert len(several.fleet.runs.by_request) == 51


async def test_coordinators_that_name_each_other_are_given_up_in_time(several: Coordinators) -> None:
    one = await several.add("unix:/somewhere")
    two = await several.add(one.address)
    one.names = two.address
    clock = JumpingClock()
    async with several.client() as client:
        client._connection.channel.clock = clock
        with pytest.raises(NotLeader):
            await client.runs.submit(spec())
    assert 10.0 <= clock.monotonic() <= 12.5
    assert len(one.calls) + len(two.calls) < 100


async def test_a_fleet_without_a_leader_is_given_up_in_time(several: Coordinators) -> None:
    await several.add("")
    await several.add("")
    clock = JumpingClock()
    async with several.client() as client:
        client._connection.channel.clock = clock
        with pytest.raises(NoLeader):
            await client.runs.submit(spec())
    assert 10.0 <= clock.monotonic() <= 12.5


async def test_an_address_where_nobody_has_ever_answered_is_given_up_soon(folder: Path) -> None:
    nobody = Endpoint(f"unix:{folder}/a,unix:{folder}/b")
    began = time.monotonic()
    async with Client.open(nobody) as client:
        with pytest.raises(Unavailable, match=f"unix:{folder}/a, unix:{folder}/b"):
            await client.runs.submit(spec())
    assert time.monotonic() - began < 5.0


async def test_a_machine_that_swallows_connections_does_not_cost_the_time_of_a_call(several: Coordinators) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for waiting in (first, second):  # the queue of the listener is full now
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        alive = await several.add()
        swallowing = f"127.0.0.1:{full.getsockname()[1]}"
        async with Client.open(Endpoint(f"{swallowing},{alive.address}")) as client:
            async with asyncio.timeout(6):
                assert (await client.runs.submit(spec())).run.run_id


async def test_an_address_of_the_coordinators_own_machine_is_not_believed_from_elsewhere(
    several: Coordinators, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = await several.add("unix:/run/crossfleet/c.sock", address="0.0.0.0:0")
    elsewhere = follower.address.replace("0.0.0.0", socket.gethostname())
    async with Client.open(Endpoint(elsewhere)) as client:
        with pytest.raises(AddressInvalid, match="--advertise"):
            await client.runs.submit(spec())
        follower.names = "127.0.0.1:1"
        with pytest.raises(AddressInvalid, match="--advertise"):
            await client.runs.submit(spec())


async def test_a_token_does_not_follow_a_leader_into_the_clear(several: Coordinators, folder: Path) -> None:
    token = folder / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    follower = await several.add("192.0.2.1:7400")
    async with Client.open(Endpoint(follower.address, token_file=str(token))) as client:
        with pytest.raises(InsecureTransport, match=r"192\.0\.2\.1:7400"):
            await client.runs.submit(spec())


async def test_a_leader_that_may_not_be_followed_is_looked_for_among_the_given_addresses(
    several: Coordinators, folder: Path
) -> None:
    token = folder / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    follower = await several.add("192.0.2.1:7400")
    leader = await several.add()  # the same, by the address that reaches it from here
    endpoint = Endpoint(f"{follower.address},{leader.address}", token_file=str(token))
    async with Client.open(endpoint) as client:
        assert (await client.runs.submit(spec())).run.run_id == "run-1"


async def test_a_watch_goes_on_at_the_next_leader_without_gap_or_repetition(folder: Path) -> None:
    script = Script(FIVE, break_stream_after=[3])
    told: list[str] = []
    async with coordinators(folder, script) as several:
        leader = await several.add()
        successor = await several.add()
        async with several.client(leader, successor) as client:
            answer = await client.runs.submit(spec())
            seen = []
            watching = client.events.watch(
                after=answer.event_cursor, run_id=answer.run.run_id, until_finished=True, tell=told.append
            )
            async for event in watching:
                seen.append(event.cursor)
                await leader.stop()
    assert seen == [f"c{number}" for number in range(1, 9)]
    assert told == [f"the coordinator was lost; following {successor.address}"]


async def test_an_upload_goes_on_at_the_next_leader_where_it_broke_off(folder: Path) -> None:
    large = Blob.of_bytes(bytes(range(256)) * 4096 * 3)
    async with coordinators(folder, Script(break_upload_after=[2])) as several:
        leader = await several.add()
        follower = await several.add(leader.address)
        async with several.client(leader, follower) as client:
            uploading = asyncio.ensure_future(client.artifacts.upload([large]))
            await eventually(lambda: several.fleet.blobs.received, what="a piece arrived")
            leader.names, follower.names = follower.address, None
            assert await uploading == large.size_bytes
    assert several.fleet.blobs.stored[large.digest] == large.content
    assert several.fleet.blobs.received == large.size_bytes
    assert "UploadBlob" in follower.calls


async def test_output_that_is_followed_goes_on_where_its_stream_ended(folder: Path) -> None:
    async with coordinators(folder, Script(end_logs_after=[2, 0, 4])) as several:
        leader = await several.add()
        await several.add(leader.address)
        async with several.client() as client:
            run_id = (await client.runs.submit(spec())).run.run_id
            seen = [chunk.content async for chunk in client.logs.read(run_id, follow=True)]
    assert seen == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_watch_leaves_a_coordinator_that_is_silent_and_does_not_answer(
    folder: Path, several: Coordinators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(attention, "_ANSWER_SECONDS", 0.3)
    leader = await several.add()
    frozen = socket.socket(socket.AF_UNIX)  # as a process that stands still: the kernel takes connections for it
    frozen.bind(str(folder / "frozen"))
    frozen.listen(16)
    async with Client.open(Endpoint(f"unix:{folder}/frozen,{leader.address}")) as client:
        client._connection.timeout = 0.5
        run_id = (await client.runs.submit(spec())).run.run_id
    async with Client.open(Endpoint(f"unix:{folder}/frozen,{leader.address}")) as client:
        began = time.monotonic()
        seen = [event async for event in client.events.watch(after="0", run_id=run_id, until_finished=True)]
        took = time.monotonic() - began
    frozen.close()

    assert seen[-1].HasField("run_finished")
    assert took < 5


async def test_a_call_leaves_a_coordinator_that_does_not_answer_long_before_its_own_limit(
    folder: Path, several: Coordinators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(attention, "_ANSWER_SECONDS", 0.3)
    leader = await several.add()
    frozen = socket.socket(socket.AF_UNIX)
    frozen.bind(str(folder / "frozen"))
    frozen.listen(16)
    async with Client.open(Endpoint(f"unix:{folder}/frozen,{leader.address}")) as client:
        began = time.monotonic()
        await client.runs.submit(spec())
        took = time.monotonic() - began
    frozen.close()

    assert leader.calls.count("SubmitRun") == 1
    assert took < 5


async def test_a_watch_that_is_merely_quiet_stays_where_it_is(
    several: Coordinators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_QUIET_SECONDS", 0.05)
    several.fleet.script.hold = True
    leader = await several.add()
    async with several.client() as client:

        async def watch() -> None:
            async for _ in client.events.watch(after="0"):
                pass

        watching = asyncio.ensure_future(watch())
        await eventually(lambda: leader.calls.count("Check") > 3, what="it was asked whether it is there")
        assert not watching.done()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
    assert leader.calls.count("WatchEvents") == 1
