"""Who stands for election, in the order in which they came, as etcd tells it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import aclosing

from crossfleet.coordinator.election.news import News
from crossfleet.coordinator.election.port import Leader
from crossfleet.foundation import logs
from crossfleet.foundation.errors import CrossfleetError, CursorExpired
from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.retry import delays
from crossfleet.internal.etcd.v1 import etcd_pb2

_LONGEST_PAUSE = 2.0


class Roll:
    """The keys below `prefix`, kept current by a watch. The one that was made first is the leader's.

    `revision` is that of the store up to which it is known; 0 before the first answer of etcd.
    """

    def __init__(self, client: EtcdClient, prefix: str, news: News) -> None:
        """`news` is told of every change. `follow` has to run."""
        self._client, self._prefix, self._news = client, prefix, news
        self._places: dict[bytes, etcd_pb2.KeyValue] = {}
        self.revision = 0

    @property
    def first(self) -> bytes:
        """The key of the one who leads; empty when nobody does."""
        return min(self._places, key=lambda key: self._places[key].create_revision, default=b"")

    @property
    def leader(self) -> Leader | None:
        """The one who leads, as it introduced itself."""
        first = self.first
        return _introduced(self._places[first]) if first else None

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    async def follow(self) -> None:
        """Keeps it current until cancelled, whatever happens to etcd."""
        pauses, told = delays(longest=_LONGEST_PAUSE), ""
        while True:
            try:
                await self._list()
                pauses, told = delays(longest=_LONGEST_PAUSE), ""
                await self._watch()
            except CursorExpired:
                pass
            except CrossfleetError as error:
                if str(error) != told:
                    logs.get_logger().warning("the election cannot be followed; it is tried again", cause=str(error))
                told = str(error)
            except Exception as error:  # noqa: BLE001 - a candidate that does not follow would neither lead nor let be
                logs.get_logger().error("the election cannot be followed; it is tried again", exc_info=error)
            await asyncio.sleep(next(pauses))

    async def _watch(self) -> None:
        """Follows the changes; ends when etcd was restored from a backup."""
        async with aclosing(self._client.watch_prefix(self._prefix, start_revision=self.revision + 1)) as changes:
            async for change in changes:
                if change.events:
                    self._change(change.revision, change.events)
                    continue
                # The watch was interrupted, or nothing has changed for long. A backup that was restored meanwhile may
                # have reached the same revision by other changes.
                await self._list()
                if self.revision < change.revision:
                    return

    async def _list(self) -> None:
        listing = await self._client.get_prefix(self._prefix)
        self._places = {kv.key: kv for kv in self._leased(listing.kvs)}
        self.revision = listing.revision
        self._news.tell()

    def _change(self, revision: int, events: Iterable[etcd_pb2.Event]) -> None:
        for event in events:
            if event.kv.mod_revision <= self.revision:
                continue  # the list knew it
            if event.type == etcd_pb2.EVENT_TYPE_DELETE:
                self._places.pop(event.kv.key, None)
            else:
                self._places.update((kv.key, kv) for kv in self._leased([event.kv]))
        self.revision = max(self.revision, revision)
        self._news.tell()

    def _leased(self, kvs: Iterable[etcd_pb2.KeyValue]) -> Iterable[etcd_pb2.KeyValue]:
        """Candidates write with a lease. A key without one was written by hand, and would lead for ever."""
        for kv in kvs:
            if kv.lease:
                yield kv
            else:
                logs.get_logger().warning("a key without a lease does not stand for election", key=repr(kv.key))


def introduction(me: Leader) -> bytes:
    """What a candidate's key holds."""
    return json.dumps({"name": me.name, "address": me.address}).encode()


def _introduced(kv: etcd_pb2.KeyValue) -> Leader:
    """The other way. What cannot be read, as of a later version, leads all the same, under an unknown address."""
    try:
        found = json.loads(kv.value)
        return Leader(str(found["name"]), str(found["address"]))
    except (ValueError, KeyError, TypeError):
        return Leader(kv.key.decode(errors="replace"), "")
