"""Watches that outlive members, connections and tokens, and miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from crossfleet.foundation import errors
from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.etcd.watching import Changes
from crossfleet.foundation.wait import eventually
from crossfleet.internal.etcd.v1 import etcd_pb2
from services.foundation.tests.etcd.conftest import Opening
from tests.real.etcd import Cluster

_LOOK_SECONDS = 0.05

pytestmark = pytest.mark.needs_etcd


async def test_a_watch_tells_what_changes_below_its_prefix(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    async with aclosing(client.watch_prefix("/told/")) as changes:
        await anext(changes)
        await client.put("/told/a", b"1")
        await client.put("/other", b"")
        await client.delete("/told/a")
        events = await _events(changes, 2)
    assert [(event.type, event.kv.key, event.kv.value) for event in events] == [
        (etcd_pb2.EVENT_TYPE_PUT, b"/told/a", b"1"),
        (etcd_pb2.EVENT_TYPE_DELETE, b"/told/a", b""),
    ]


async def test_a_watch_from_a_revision_tells_what_came_since(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    await client.put("/since", b"0")
    revision = await client.put("/since", b"1")
    await client.put("/since", b"2")
    async with aclosing(client.watch("/since", start_revision=revision)) as changes:
        assert [event.kv.value for event in await _events(changes, 2)] == [b"1", b"2"]


async def test_a_watch_misses_and_repeats_nothing_while_members_die(three: Cluster, opening: Opening) -> None:
    client, writer = opening(three.endpoints), opening(three.endpoints)
    seen: list[int] = []

    async def read() -> None:
        async with aclosing(client.watch_prefix("/n/", start_revision=1)) as changes:
            async for change in changes:
                seen.extend(int(event.kv.value) for event in change.events)
                if seen and seen[-1] == 59:
                    return

    reading = asyncio.create_task(read())
    for number in range(60):
        if number in (20, 40):
            three.nodes[number // 20 - 1].kill()  # the one that is read from first
        if number == 30:
            three.nodes[0].restart()
            three.nodes[0].wait_ready()
        await _put_surely(writer, f"/n/{number}", str(number).encode())
    await asyncio.wait_for(reading, 20)
    assert seen == list(range(60))


async def test_a_watch_leaves_a_member_that_is_cut_off_from_the_others(three: Cluster, opening: Opening) -> None:
    """It would keep silent: its connection stands, and it learns of nothing."""
    client = opening(three.endpoints)
    writer = opening(three.endpoints)
    async with aclosing(client.watch("/a")) as changes:
        await anext(changes)
        for node in three.nodes[1:]:
            node.freeze()
        await asyncio.wait_for(_ended_by(changes, three), 20)
        await _put_surely(writer, "/a", b"1")
        assert [event.kv.value for event in await _events(changes, 1)] == [b"1"]


async def _ended_by(changes: AsyncGenerator[Changes, None], three: Cluster) -> None:
    again = asyncio.ensure_future(anext(changes))
    while not again.done():
        await asyncio.sleep(_LOOK_SECONDS)
        if not three.nodes[0].is_healthy():
            for node in three.nodes[1:]:
                node.thaw()
            await again


async def test_a_start_that_was_compacted_is_refused_with_the_first_that_is_not(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    revisions = [await client.put("/old", str(number).encode()) for number in range(5)]
    one.nodes[0].post("/v3/kv/compaction", revision=revisions[3])
    with pytest.raises(errors.CursorExpired) as caught:
        await _events(client.watch("/old", start_revision=revisions[0]), 1)
    assert caught.value.metadata["first_cursor"] == str(revisions[3])
    assert [event.kv.value for event in await _events(client.watch("/old", start_revision=revisions[3]), 2)] == [
        b"3",
        b"4",
    ]


async def test_a_start_in_a_future_that_a_restored_store_has_lost_is_refused(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    revision = await client.put("/lost", b"")
    with pytest.raises(errors.CursorExpired, match="restored"):
        await asyncio.wait_for(anext(client.watch("/lost", start_revision=revision + 2)), 5)


async def test_a_watch_that_is_let_go_ends_in_etcd_too(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    await eventually(lambda: _watchers(one) == 0)  # those of other tests end there a little later
    changes = client.watch("/let-go")
    await anext(changes)
    assert _watchers(one) == 1
    await changes.aclose()
    await eventually(lambda: _watchers(one) == 0)


async def test_a_watch_gets_itself_a_new_token_when_its_own_is_dead(
    breakable: Cluster, opening: Opening, tmp_path_factory: pytest.TempPathFactory
) -> None:
    breakable.require_users("fleet", "secret", "/crossfleet/")
    password = tmp_path_factory.mktemp("secret") / "password"
    password.write_text("secret")
    password.chmod(0o600)
    client = opening(breakable.endpoints, user="fleet", password_file=str(password))
    async with aclosing(client.watch("/crossfleet/a")) as changes:
        await anext(changes)
        breakable.nodes[0].restart()
        breakable.wait_ready()
        while (await asyncio.wait_for(anext(changes), 20)).events:
            pass
        await client.put("/crossfleet/a", b"1")
        assert len(await _events(changes, 1)) == 1
    with pytest.raises(errors.PermissionDenied):
        await anext(client.watch("/elsewhere"))


async def _events(changes: AsyncGenerator[Changes, None], count: int) -> list[etcd_pb2.Event]:
    found: list[etcd_pb2.Event] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += (await anext(changes)).events
    assert len(found) == count
    return found


async def _put_surely(client: EtcdClient, key: str, value: bytes) -> None:
    """Each key is written once: what is not known to be written is read."""
    async with asyncio.timeout(20):
        while await client.get(key) is None:
            try:
                await client.put(key, value)
            except (errors.Unavailable, errors.DeadlineExceeded):
                continue


def _watchers(cluster: Cluster) -> int:
    """As etcd counts them itself."""
    return int(cluster.metric("etcd_debugging_mvcc_watcher_total"))
