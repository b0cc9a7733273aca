"""The client: etcd's calls under the names that the package etcd3 gave them."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import grpc

from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors.leadership import LeaseLost
from crossfleet.foundation.etcd.calls import Calls, Metadata
from crossfleet.foundation.etcd.failures import CallFailed, silent
from crossfleet.foundation.etcd.members import Member
from crossfleet.foundation.etcd.probing import ClusterInfo, probe
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.etcd.watching import Changes, Watch
from crossfleet.internal.etcd.v1 import etcd_pb2

_KV = "/etcdserverpb.KV/"
_LEASE = "/etcdserverpb.Lease/"


@dataclass(frozen=True, slots=True)
class Listing:
    """The keys below a prefix, in order of key, as they were at `revision`."""

    revision: int
    kvs: Sequence[etcd_pb2.KeyValue]


class EtcdClient:
    """A client of one etcd, whichever of its members answers. Reads are linearizable: a majority agrees on them.

    Every call raises what `Calls.call` raises. Of writes that end in Unavailable or DeadlineExceeded it is not known
    whether they took place.
    """

    def __init__(
        self,
        settings: EtcdSettings,
        *,
        attempt_seconds: float = 2.0,
        call_seconds: float = 8.0,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Raises ConfigurationInvalid, CertificateInvalid, InsecureTransport, FilePermissionsUnsafe; calls nobody."""
        self._calls = Calls(
            settings, attempt_seconds=attempt_seconds, call_seconds=call_seconds, clock=clock, draw=draw
        )

    async def probe(self, prefix: str) -> ClusterInfo:
        """Asks every member, and reads below `prefix` as its user; raises what `probing.probe` raises."""
        return await probe(self._calls, prefix.encode())

    async def get(self, key: str) -> etcd_pb2.KeyValue | None:
        """The key, if there is one."""
        request = etcd_pb2.RangeRequest(key=key.encode())
        found = await self._calls.unary(_KV + "Range", request, etcd_pb2.RangeResponse, repeatable=True)
        return found.kvs[0] if found.kvs else None

    async def get_prefix(self, prefix: str) -> Listing:
        """All keys that begin with `prefix`."""
        request = etcd_pb2.RangeRequest(key=prefix.encode(), range_end=after(prefix.encode()))
        found = await self._calls.unary(_KV + "Range", request, etcd_pb2.RangeResponse, repeatable=True)
        return Listing(found.header.revision, found.kvs)

    async def put(self, key: str, value: bytes, lease: int = 0) -> int:
        """Writes a key, which ends with `lease` if one is given; the revision."""
        request = etcd_pb2.PutRequest(key=key.encode(), value=value, lease=lease)
        found = await self._calls.unary(_KV + "Put", request, etcd_pb2.PutResponse, repeatable=False)
        return found.header.revision

    async def delete(self, key: str) -> bool:
        """Deletes a key; whether there was one."""
        return await self._delete(etcd_pb2.DeleteRangeRequest(key=key.encode())) > 0

    async def delete_prefix(self, prefix: str) -> int:
        """Deletes all keys that begin with `prefix`; how many."""
        return await self._delete(etcd_pb2.DeleteRangeRequest(key=prefix.encode(), range_end=after(prefix.encode())))

    async def transaction(
        self,
        compare: Sequence[etcd_pb2.Compare],
        success: Sequence[etcd_pb2.RequestOp],
        failure: Sequence[etcd_pb2.RequestOp] = (),
    ) -> etcd_pb2.TxnResponse:
        """Does `success` if all of `compare` holds, else `failure`, at one revision."""
        request = etcd_pb2.TxnRequest(compare=compare, success=success, failure=failure)
        return await self._calls.unary(_KV + "Txn", request, etcd_pb2.TxnResponse, repeatable=False)

    async def lease(self, ttl: int) -> etcd_pb2.LeaseGrantResponse:
        """A new lease of `ttl` seconds or more (see the answer). One whose answer was lost ends by itself."""
        request = etcd_pb2.LeaseGrantRequest(ttl=ttl)
        return await self._calls.unary(_LEASE + "LeaseGrant", request, etcd_pb2.LeaseGrantResponse, repeatable=True)

    async def refresh_lease(self, lease: int) -> float:
        """Renews a lease: the seconds it then has. Raises LeaseLost when there is none any more."""

        async def send(member: Member, metadata: Metadata) -> etcd_pb2.LeaseKeepAliveResponse:
            return await self._keep_alive(member, lease, metadata)

        answer = await self._calls.call(send, repeatable=True)
        if answer.ttl <= 0:
            raise LeaseLost("etcd does not have this lease any more")
        return float(answer.ttl)

    async def revoke_lease(self, lease: int) -> None:
        """Ends a lease and the keys that hang on it; one that is gone already is fine."""
        request = etcd_pb2.LeaseRevokeRequest(id=lease)
        try:
            await self._calls.unary(_LEASE + "LeaseRevoke", request, etcd_pb2.LeaseRevokeResponse, repeatable=True)
        except LeaseLost:
            pass

    def watch(self, key: str, *, start_revision: int = 0) -> AsyncGenerator[Changes, None]:
        """What happens to a key, as `Watch.changes`. Close it with contextlib.aclosing."""
        return Watch(self._calls, key.encode(), b"", start_revision).changes()

    def watch_prefix(self, prefix: str, *, start_revision: int = 0) -> AsyncGenerator[Changes, None]:
        """What happens to all keys that begin with `prefix`."""
        return Watch(self._calls, prefix.encode(), after(prefix.encode()), start_revision).changes()

    async def close(self) -> None:
        """Lets go of all connections."""
        await self._calls.members.close()

    async def _delete(self, request: etcd_pb2.DeleteRangeRequest) -> int:
        found = await self._calls.unary(_KV + "DeleteRange", request, etcd_pb2.DeleteRangeResponse, repeatable=False)
        return found.deleted

    async def _keep_alive(self, member: Member, lease: int, metadata: Metadata) -> etcd_pb2.LeaseKeepAliveResponse:
        begin = member.channel.stream_stream(
            _LEASE + "LeaseKeepAlive",
            request_serializer=etcd_pb2.LeaseKeepAliveRequest.SerializeToString,
            response_deserializer=etcd_pb2.LeaseKeepAliveResponse.FromString,
        )
        call = begin(metadata=metadata, timeout=self._calls.attempt_seconds)
        try:
            await call.write(etcd_pb2.LeaseKeepAliveRequest(id=lease))
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._calls.failed(member, error) from error
        finally:
            call.cancel()
        if not isinstance(answer, etcd_pb2.LeaseKeepAliveResponse):
            raise CallFailed(silent(member.address))
        self._calls.check_cluster(member, answer)
        return answer


def after(prefix: bytes) -> bytes:
    """The end of the range of keys that begin with `prefix`, which must not be empty or end in 0xff."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))
