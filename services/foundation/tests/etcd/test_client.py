"""Keys, transactions and leases on a real etcd, also one that loses members."""

from __future__ import annotations

import asyncio
import time

import pytest

from crossfleet.foundation import errors
from crossfleet.foundation.wait import eventually
from crossfleet.internal.etcd.v1 import etcd_pb2
from services.foundation.tests.etcd.conftest import Opening
from tests.real.etcd import Cluster

_LOOK_SECONDS = 0.2

pytestmark = pytest.mark.needs_etcd


async def test_what_is_put_can_be_got_listed_and_deleted(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    assert await client.get("/keys/a") is None
    created = await client.put("/keys/a", b"1")
    await client.put("/keys/b", b"2")
    await client.put("/keysmith", b"another folder")
    found = await client.get("/keys/a")
    assert found is not None
    assert (found.value, found.create_revision, found.version) == (b"1", created, 1)
    listing = await client.get_prefix("/keys/")
    assert [(kv.key, kv.value) for kv in listing.kvs] == [(b"/keys/a", b"1"), (b"/keys/b", b"2")]
    assert listing.revision == created + 2
    assert await client.delete("/keys/a")
    assert not await client.delete("/keys/a")
    assert await client.delete_prefix("/keys/") == 1


async def test_a_transaction_does_all_of_one_side(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    absent = etcd_pb2.Compare(
        key=b"/txn/a", target=etcd_pb2.COMPARE_TARGET_CREATE, result=etcd_pb2.COMPARE_RESULT_EQUAL, create_revision=0
    )
    write = etcd_pb2.RequestOp(request_put=etcd_pb2.PutRequest(key=b"/txn/a", value=b"mine"))
    read = etcd_pb2.RequestOp(request_range=etcd_pb2.RangeRequest(key=b"/txn/a"))
    first = await client.transaction([absent], [write], [read])
    second = await client.transaction([absent], [write], [read])
    assert first.succeeded
    assert not second.succeeded
    (kv,) = second.responses[0].response_range.kvs
    assert (kv.value, kv.create_revision) == (b"mine", first.header.revision)


async def test_keys_end_with_their_lease(one: Cluster, opening: Opening) -> None:
    client = opening(one.endpoints)
    kept, dropped = await client.lease(1), await client.lease(60)
    await client.put("/leased/kept", b"", kept.id)
    await client.put("/leased/dropped", b"", dropped.id)
    await client.revoke_lease(dropped.id)
    await client.revoke_lease(dropped.id)
    assert [kv.key for kv in (await client.get_prefix("/leased/")).kvs] == [b"/leased/kept"]
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        assert await client.refresh_lease(kept.id) == kept.ttl
        await asyncio.sleep(_LOOK_SECONDS)  # what is shown is that it lasts
    assert await client.get("/leased/kept") is not None
    await eventually(lambda: _is_gone(client), deadline=30)
    with pytest.raises(errors.LeaseLost):
        await client.refresh_lease(kept.id)
    with pytest.raises(errors.LeaseLost):
        await client.put("/leased/kept", b"", kept.id)


async def test_calls_go_on_with_another_member_when_one_dies_or_stands_still(three: Cluster, opening: Opening) -> None:
    client = opening(three.endpoints)
    lease = await client.lease(30)
    await client.put("/three/a", b"1")
    three.nodes[0].kill()
    assert await client.refresh_lease(lease.id) > 0
    assert await client.get("/three/a") is not None
    three.nodes[0].restart()
    three.wait_ready()
    three.nodes[1].freeze()
    for _ in range(3):
        assert await client.refresh_lease(lease.id) > 0
        assert await client.get("/three/a") is not None
    three.nodes[1].thaw()


async def test_without_a_majority_calls_end_in_time_and_work_again_after(three: Cluster, opening: Opening) -> None:
    client = opening(three.endpoints)
    await client.put("/three/a", b"1")
    for node in three.nodes[1:]:
        node.kill()
    began = time.monotonic()
    with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
        await client.get("/three/a")
    assert time.monotonic() - began < 10
    for node in three.nodes[1:]:
        node.restart()
    three.wait_ready()
    assert await client.get("/three/a") is not None


async def test_a_write_of_unknown_outcome_is_not_repeated(three: Cluster, opening: Opening) -> None:
    client = opening(three.endpoints)
    before = await client.put("/three/a", b"1")
    for node in three.nodes[1:]:
        node.freeze()
    with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
        await client.put("/three/a", b"2")
    for node in three.nodes[1:]:
        node.thaw()
    found = await eventually(lambda: client.get("/three/a"))
    assert found is not None
    assert found.mod_revision - before <= 1


async def _is_gone(client: object) -> bool:
    return await client.get("/leased/kept") is None  # type: ignore[attr-defined]
