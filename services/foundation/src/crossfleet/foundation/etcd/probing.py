"""Whether an etcd can be used as it is set, and if not, what to change."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from crossfleet.foundation import logs
from crossfleet.foundation.errors.access import CertificateInvalid
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.load import DeadlineExceeded, Unavailable
from crossfleet.foundation.etcd.calls import Calls, Metadata
from crossfleet.foundation.etcd.failures import NEEDS_TLS, CallFailed
from crossfleet.foundation.etcd.members import Member
from crossfleet.foundation.serve.addresses import TcpAddress, parse
from crossfleet.internal.etcd.v1 import etcd_pb2

_STATUS = "/etcdserverpb.Maintenance/Status"
_RANGE = "/etcdserverpb.KV/Range"


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """An etcd. `cluster` is its identity in hexadecimal digits, as etcdctl shows it; `members` is how many answered.

    `version` is empty where only root may ask for it, as from etcd 3.6 on.
    """

    cluster: str
    version: str
    members: int


async def probe(calls: Calls, prefix: bytes) -> ClusterInfo:
    """Reads below `prefix` from every endpoint once, at the same time; then once so that it takes a majority.

    Endpoints that fail while others answer are logged. Raises ConfigurationInvalid (an endpoint is no etcd, or of
    another cluster), CertificateInvalid, Unauthenticated, PermissionDenied, Unavailable, DeadlineExceeded.
    """
    found = await asyncio.gather(*(_answer(calls, member, prefix) for member in calls.members.all))
    answers = [answer for answer in found if isinstance(answer, etcd_pb2.RangeResponse)]
    failures = [answer for answer in found if isinstance(answer, CrossfleetError)]
    if not answers:
        raise _most_telling(failures)
    for failure in failures:
        if failure.metadata.get("cluster"):
            raise failure
        logs.get_logger().warning("a member of etcd cannot be used", cause=str(failure))
    request = etcd_pb2.RangeRequest(key=prefix, count_only=True)
    agreed = await calls.unary(_RANGE, request, etcd_pb2.RangeResponse, repeatable=True)
    return ClusterInfo(f"{agreed.header.cluster_id:x}", await _version(calls), len(answers))


async def _answer(calls: Calls, member: Member, prefix: bytes) -> etcd_pb2.RangeResponse | CrossfleetError:
    async def send(member: Member, metadata: Metadata) -> etcd_pb2.RangeResponse:
        request = etcd_pb2.RangeRequest(key=prefix, count_only=True, serializable=True)
        return await calls.send(member, _RANGE, request, etcd_pb2.RangeResponse, metadata)

    try:
        return await calls.attempt(member, send)
    except CallFailed as failed:
        error = failed.failure.error
    if isinstance(error, Unavailable) and not calls.tls and await _speaks_tls(member.address, calls.attempt_seconds):
        return CertificateInvalid(f"etcd at {member.address}: {NEEDS_TLS}", address=member.address)
    return error


async def _version(calls: Calls) -> str:
    try:
        found = await calls.unary(_STATUS, etcd_pb2.StatusRequest(), etcd_pb2.StatusResponse, repeatable=True)
    except CrossfleetError:
        return ""
    return found.version


def _most_telling(failures: list[CrossfleetError]) -> CrossfleetError:
    """What somebody has to mend, rather than what may pass; else all that was met."""
    lasting = [failure for failure in failures if not isinstance(failure, (Unavailable, DeadlineExceeded))]
    if lasting:
        return lasting[0]
    return Unavailable("; ".join(str(failure) for failure in failures))


async def _speaks_tls(address: str, limit: float) -> bool:
    """Whether a handshake gets as far as the server's certificate, whoever signed it."""
    parsed = parse(address)
    if not isinstance(parsed, TcpAddress):
        return False
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE  # nothing is sent or believed
    try:
        async with asyncio.timeout(limit):
            _, writer = await asyncio.open_connection(parsed.host, parsed.port, ssl=anyone)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True
