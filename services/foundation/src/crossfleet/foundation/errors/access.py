"""Who may speak, and over what."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class Unauthenticated(CrossfleetError):
    """The call carries no token, a wrong one, or one that has ended."""

    reason = "UNAUTHENTICATED"
    code = StatusCode.UNAUTHENTICATED


class PermissionDenied(CrossfleetError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"
    code = StatusCode.PERMISSION_DENIED


class InsecureTransport(CrossfleetError):
    """Plain TCP was asked for where a token or TLS is needed."""

    reason = "INSECURE_TRANSPORT"
    code = StatusCode.FAILED_PRECONDITION


class CertificateInvalid(CrossfleetError):
    """A certificate, key or authority does not load, does not match or is out of date."""

    reason = "CERTIFICATE_INVALID"
    code = StatusCode.FAILED_PRECONDITION


class SignatureInvalid(CrossfleetError):
    """The signature of an inbound webhook is missing or wrong."""

    reason = "SIGNATURE_INVALID"
    code = StatusCode.UNAUTHENTICATED


class FilePermissionsUnsafe(CrossfleetError):
    """A socket, token or data file can be read or written by others."""

    reason = "FILE_PERMISSIONS_UNSAFE"
    code = StatusCode.FAILED_PRECONDITION
