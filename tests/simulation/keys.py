"""What an etcd keeps: keys under one history of revisions, and leases. Pure; speaks etcd's messages."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from crossfleet.internal.etcd.v1 import etcd_pb2 as pb

_CLUSTER = 0xE7CD

_JUDGED: dict[int, Callable[[Any, Any], bool]] = {
    pb.COMPARE_RESULT_EQUAL: lambda one, other: one == other,
    pb.COMPARE_RESULT_GREATER: lambda one, other: one > other,
    pb.COMPARE_RESULT_LESS: lambda one, other: one < other,
    pb.COMPARE_RESULT_NOT_EQUAL: lambda one, other: one != other,
}


class NoLease(Exception):
    """The lease has ended, or never was."""


class Keys:
    """`history` has every change since the beginning, or since the restore."""

    def __init__(self) -> None:
        self.revision = 1
        self.leases: dict[int, int] = {}
        """Time to live by id."""
        self.history: list[pb.Event] = []
        self._rows: dict[bytes, pb.KeyValue] = {}

    def header(self) -> pb.ResponseHeader:
        """Of every answer."""
        return pb.ResponseHeader(cluster_id=_CLUSTER, member_id=1, revision=self.revision)

    def copied(self) -> Keys:
        """A snapshot. What is restored from it has no history."""
        copied = copy.copy(self)
        copied._rows, copied.leases, copied.history = dict(self._rows), dict(self.leases), []
        return copied

    def oldest(self) -> pb.KeyValue | None:
        """The key that was created first."""
        return min(self._rows.values(), key=lambda row: row.create_revision, default=None)

    def range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        """What the keys are now."""
        found = self._within(request.key, request.range_end)
        kvs = [] if request.count_only else found
        return pb.RangeResponse(header=self.header(), kvs=kvs, count=len(found))

    def put(self, request: pb.PutRequest) -> pb.PutResponse:
        """Raises NoLease."""
        self._write([pb.RequestOp(request_put=request)])
        return pb.PutResponse(header=self.header())

    def delete(self, request: pb.DeleteRangeRequest) -> pb.DeleteRangeResponse:
        """How many there were."""
        return self._write([pb.RequestOp(request_delete_range=request)])[0].response_delete_range

    def transact(self, request: pb.TxnRequest) -> pb.TxnResponse:
        """Raises NoLease."""
        holds = all(self._holds(one) for one in request.compare)
        responses = self._write(request.success if holds else request.failure)
        return pb.TxnResponse(header=self.header(), succeeded=holds, responses=responses)

    def end_lease(self, lease: int) -> None:
        """Its keys go at one revision. Raises NoLease."""
        if self.leases.pop(lease, None) is None:
            raise NoLease
        keys = [key for key, row in self._rows.items() if row.lease == lease]
        if keys:
            self.revision += 1
            for key in keys:
                self._drop(key)

    def since(self, request: pb.WatchCreateRequest, seen: int) -> list[pb.Event]:
        """The changes that a watcher wants after the first `seen` of the history."""
        return [
            event
            for event in self.history[seen:]
            if event.kv.mod_revision >= request.start_revision and _in(event.kv.key, request.key, request.range_end)
        ]

    def _write(self, operations: Iterable[pb.RequestOp]) -> Sequence[pb.ResponseOp]:
        operations = list(operations)
        for one in operations:
            if one.HasField("request_put") and one.request_put.lease not in {0, *self.leases}:
                raise NoLease
        self.revision += any(not one.HasField("request_range") for one in operations)
        return [self._carry_out(one) for one in operations]

    def _carry_out(self, operation: pb.RequestOp) -> pb.ResponseOp:
        if operation.HasField("request_range"):
            return pb.ResponseOp(response_range=self.range(operation.request_range))
        if operation.HasField("request_put"):
            self._set(operation.request_put)
            return pb.ResponseOp(response_put=pb.PutResponse(header=self.header()))
        request = operation.request_delete_range
        gone = self._within(request.key, request.range_end)
        for row in gone:
            self._drop(row.key)
        return pb.ResponseOp(response_delete_range=pb.DeleteRangeResponse(header=self.header(), deleted=len(gone)))

    def _set(self, put: pb.PutRequest) -> None:
        before = self._rows.get(put.key)
        row = pb.KeyValue(
            key=put.key,
            value=put.value,
            lease=put.lease,
            create_revision=before.create_revision if before else self.revision,
            mod_revision=self.revision,
            version=before.version + 1 if before else 1,
        )
        self._rows[put.key] = row
        self.history.append(pb.Event(type=pb.EVENT_TYPE_PUT, kv=row))

    def _drop(self, key: bytes) -> None:
        del self._rows[key]
        gone = pb.KeyValue(key=key, mod_revision=self.revision)
        self.history.append(pb.Event(type=pb.EVENT_TYPE_DELETE, kv=gone))

    def _within(self, key: bytes, end: bytes) -> list[pb.KeyValue]:
        return [row for name, row in sorted(self._rows.items()) if _in(name, key, end)]

    def _holds(self, compare: pb.Compare) -> bool:
        row = self._rows.get(compare.key, pb.KeyValue())
        name = str(compare.WhichOneof("target_union"))
        return _JUDGED[compare.result](getattr(row, name), getattr(compare, name))


def _in(name: bytes, key: bytes, end: bytes) -> bool:
    return key <= name < end if end else name == key
