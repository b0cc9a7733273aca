"""A simulated etcd, as its clients see it: one history, leases on its own clock. Without a quorum nobody is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc

from crossfleet.internal.etcd.v1 import etcd_pb2 as pb
from tests.simulation.keys import Keys, NoLease
from tests.simulation.loop import Machine
from tests.simulation.network import Server, status_error

_LATE = 0.2  # seconds on its clock by which a lease may be found to have ended later than it did
_GIVEN_UP = 0.5  # simulated seconds after which a proposal without a quorum is given up


class SimEtcd:
    """Serves keys, leases and watches."""

    def __init__(self, world: Any, machine: Machine) -> None:
        self.machine = machine
        self.restored = False
        """Whether revisions went back, and no operator has dealt with it yet."""
        self._world = world
        self._random = world.chance.stream("etcd")
        self._process = world.loop.process("etcd", machine)
        self._keys, self._snapshot = Keys(), Keys()
        self._quorum = True
        self._deadlines: dict[int, float] = {}
        self._late: list[Callable[[], Any]] = []
        self._changed: list[asyncio.Event] = []
        self.server = Server(world.network, self._process, "etcd")
        for name, method in {"Range": "range", "Put": "put", "DeleteRange": "delete", "Txn": "transact"}.items():
            self.server.calls[name] = self._decided(partial(self._ask_keys, method))
        self.server.calls["LeaseGrant"] = self._decided(self._grant)
        self.server.calls["LeaseRevoke"] = self._decided(self._revoke)
        self.server.calls["Status"] = self._decided(self._status)
        self.server.streams["LeaseKeepAlive"] = self._keep_alive
        self.server.streams["Watch"] = self._watch

    def lose_quorum(self, seconds: float) -> None:
        """Nothing is decided for so long."""
        self._quorum = False
        self.server.sever()
        self._world.later(seconds, self.regain_quorum)

    def regain_quorum(self) -> None:
        """It decides again, first what was proposed in vain; leases begin anew, as under any new leader of etcd."""
        if self._quorum:
            return
        self._quorum = True
        self._process.call(self._promote)
        late, self._late = self._late, []
        for work in late:
            self._process.call(work)

    def take_snapshot(self) -> None:
        """Remember what there is, for a restore."""
        self._snapshot = self._keys.copied()

    def restore(self) -> None:
        """Go back to the snapshot: revisions are given again, and leases of then live again."""
        self._keys = self._snapshot.copied()
        self._deadlines.clear()
        self.restored = True
        self.server.sever()
        self._process.call(self._promote)

    def evict(self) -> None:
        """Somebody revokes the lease of the oldest key."""
        oldest = self._keys.oldest()
        if oldest is not None:
            self._process.call(self._end, oldest.lease)

    def _promote(self) -> None:
        for lease in self._keys.leases:
            self._renew(lease)

    def _decided(self, work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        async def serve(request: Any) -> Any:
            if not self._quorum:
                if self._random.random() < 0.5:
                    self._late.append(lambda: self._carry_out(work, request))
                await asyncio.sleep(_GIVEN_UP)
                raise status_error(grpc.StatusCode.UNAVAILABLE, "etcdserver: request timed out")
            answer = self._carry_out(work, request)
            if answer is None:
                raise status_error(grpc.StatusCode.NOT_FOUND, "etcdserver: requested lease not found")
            return answer

        return serve

    def _carry_out(self, work: Callable[[Any], Any], request: Any) -> Any:
        before = len(self._keys.history)
        try:
            return work(request)
        except NoLease:
            return None
        finally:
            if len(self._keys.history) != before:
                self._tell()

    def _tell(self) -> None:
        for event in self._changed:
            event.set()

    def _ask_keys(self, method: str, request: Any) -> Any:
        return getattr(self._keys, method)(request)

    def _status(self, _: Any) -> pb.StatusResponse:
        return pb.StatusResponse(header=self._keys.header(), version="3.6.0", leader=1)

    def _grant(self, request: pb.LeaseGrantRequest) -> pb.LeaseGrantResponse:
        lease = self._random.getrandbits(62)
        self._keys.leases[lease] = request.ttl
        self._renew(lease)
        return pb.LeaseGrantResponse(header=self._keys.header(), id=lease, ttl=request.ttl)

    def _revoke(self, request: pb.LeaseRevokeRequest) -> pb.LeaseRevokeResponse:
        self._keys.end_lease(request.id)
        self._deadlines.pop(request.id, None)
        return pb.LeaseRevokeResponse(header=self._keys.header())

    async def _keep_alive(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            if not self._quorum:
                await asyncio.sleep(_GIVEN_UP)
                raise status_error(grpc.StatusCode.UNAVAILABLE, "etcdserver: no leader")
            ttl = self._keys.leases.get(request.id, 0)
            if ttl:
                self._renew(request.id)
            yield pb.LeaseKeepAliveResponse(header=self._keys.header(), id=request.id, ttl=ttl)

    async def _watch(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        wanted = (await anext(requests)).create_request
        if not self._quorum:
            raise status_error(grpc.StatusCode.UNAVAILABLE, "etcdserver: no leader")
        keys = self._keys
        first = keys.history[0].kv.mod_revision if keys.history else keys.revision + 1
        yield pb.WatchResponse(header=keys.header(), created=True)
        if wanted.start_revision and wanted.start_revision < first and self._forgotten(keys, wanted.start_revision):
            yield pb.WatchResponse(header=keys.header(), canceled=True, compact_revision=first)
            return
        changed, seen = asyncio.Event(), 0 if wanted.start_revision else len(keys.history)
        self._changed.append(changed)
        try:
            while keys is self._keys:
                events = keys.since(wanted, seen)
                seen = len(keys.history)
                if events:
                    yield pb.WatchResponse(header=keys.header(), events=events)
                changed.clear()
                await changed.wait()
        finally:
            self._changed.remove(changed)

    def _forgotten(self, keys: Keys, revision: int) -> bool:
        """A restored etcd has no history of before; the first one has all of it."""
        return self._snapshot.revision > 1 and not any(event.kv.mod_revision <= revision for event in keys.history)

    def _renew(self, lease: int) -> None:
        known = lease in self._deadlines
        self._deadlines[lease] = asyncio.get_running_loop().time() + self._keys.leases[lease]
        if not known:
            self._look_later(lease)

    def _look_later(self, lease: int) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(self._deadlines[lease] + _LATE * self._random.random(), self._look, lease)

    def _look(self, lease: int) -> None:
        loop = asyncio.get_running_loop()
        if lease not in self._deadlines:
            return
        if not self._quorum:
            loop.call_later(_LATE, self._look, lease)
        elif self._deadlines[lease] <= loop.time():
            self._end(lease)
        else:
            self._look_later(lease)

    def _end(self, lease: int) -> None:
        self._deadlines.pop(lease, None)
        if lease in self._keys.leases:
            self._world.note("etcd ends lease", lease)
            self._carry_out(self._keys.end_lease, lease)
