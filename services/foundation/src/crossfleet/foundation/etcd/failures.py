"""What a failed call to etcd means, and what to do about it. Texts are those of gRPC 1.85 and of etcd 3.4 to 3.6."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from crossfleet.foundation.errors.access import CertificateInvalid, PermissionDenied, Unauthenticated
from crossfleet.foundation.errors.base import CrossfleetError, FieldViolation
from crossfleet.foundation.errors.content import DiskFull
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.foundation.errors.internal import InternalError
from crossfleet.foundation.errors.leadership import LeaseLost
from crossfleet.foundation.errors.load import Cancelled, DeadlineExceeded, RateLimited, Unavailable

_NOT_SENT = ("failed to connect to all addresses", "errors resolving", "etcdserver: no leader", "too many requests")
_TOKEN_REFUSED = ("invalid auth token", "revision of auth store is old", "user name is empty")
_WITHOUT_TLS = "it answers without TLS: leave etcd.tls_authority, tls_certificate and tls_key out"
_CERTIFICATES = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not signed by the authority in etcd.tls_authority"),
    ("Hostname Verification", "its certificate is not for this host: name etcd as the certificate does"),
    ("TSI_DATA_CORRUPTED", "it does not take this client's certificate: see etcd.tls_certificate and etcd.tls_key"),
    ("Handshake read failed", _WITHOUT_TLS),
    ("WRONG_VERSION_NUMBER", _WITHOUT_TLS),
)
_ACCESS = (
    ("user name is empty", "it asks for a user: set etcd.user and etcd.password_file"),
    ("invalid user ID or password", "it does not know this user and password: see etcd.user and etcd.password_file"),
    ("invalid auth token", "it refuses the token that it gave"),
)
_NO_ETCD = ("Expected SETTINGS frame", "http1.x server", "Method not found", "Received http2 header with status")
_PASSING = frozenset(
    (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
    )
)
NEEDS_TLS = "it takes TLS only: set etcd.tls_authority to the authority of its certificate"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed, as its caller is told, and what may help.

    `elsewhere`: another member, or the same one later. `undone`: nothing was changed, so it may be sent again.
    `token`: a new token; tokens die with the member that gave them, and when users are changed.
    """

    error: CrossfleetError
    elsewhere: bool = False
    undone: bool = False
    token: bool = False


class CallFailed(Exception):
    """One attempt of a call failed. Stays inside the client."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.error))
        self.failure = failure


def judge(address: str, code: grpc.StatusCode, text: str, *, tls: bool) -> Failure:
    """What a status of the member at `address` means."""
    refusal = _refusal(address, code, text, tls=tls)
    if refusal is None:
        elsewhere = code in _PASSING
    else:
        elsewhere = isinstance(refusal, (CertificateInvalid, ConfigurationInvalid))
    return Failure(
        error=refusal or _hindrance(address, code, text),
        elsewhere=elsewhere,
        undone=any(needle in text for needle in _NOT_SENT),
        token=any(needle in text for needle in _TOKEN_REFUSED),
    )


def silent(address: str) -> Failure:
    """The failure of a member that did not answer in time."""
    return judge(address, grpc.StatusCode.DEADLINE_EXCEEDED, "", tls=False)


def wrong_endpoint(address: str, description: str, cluster: str = "") -> ConfigurationInvalid:
    """The error of an endpoint at which something else answers, or another `cluster`."""
    wrong = FieldViolation("etcd.endpoints", f"{address}: {description}")
    return ConfigurationInvalid("wrong setting of etcd", fields=[wrong], address=address, cluster=cluster)


def _refusal(address: str, code: grpc.StatusCode, text: str, *, tls: bool) -> CrossfleetError | None:
    """What somebody has to mend, or has ended for good."""
    for needle, meaning in _CERTIFICATES if tls else ():
        if needle in text:
            return CertificateInvalid(f"etcd at {address}: {meaning}", address=address)
    for needle, meaning in _ACCESS:
        if needle in text:
            return Unauthenticated(f"etcd at {address}: {meaning}", scheme="etcd")
    if code is grpc.StatusCode.UNIMPLEMENTED or any(needle in text for needle in _NO_ETCD):
        return wrong_endpoint(address, "what answers there is no etcd with the v3 API")
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return PermissionDenied(f"etcd at {address} does not let this user do that: grant it readwrite on the prefix")
    if "requested lease not found" in text:
        return LeaseLost("etcd does not have this lease any more")
    if "database space exceeded" in text:
        return DiskFull(f"etcd at {address} is over its space quota: compact and defragment it, then disarm its alarm")
    return None


def _hindrance(address: str, code: grpc.StatusCode, text: str) -> CrossfleetError:
    """What may pass."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"etcd at {address} did not answer in time")
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(f"etcd at {address} cannot serve: {text.rpartition('last error: ')[2]}", address=address)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return RateLimited(f"etcd at {address} is overloaded: {text}")
    if code is grpc.StatusCode.CANCELLED:
        return Cancelled(f"the call to etcd at {address} was given up")
    return InternalError(f"etcd at {address} answered {code.name}: {text}")
