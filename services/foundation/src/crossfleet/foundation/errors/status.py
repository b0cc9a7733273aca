"""Errors as they cross the wire: google.rpc.Status out, the same class in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from crossfleet.foundation.errors.access import PermissionDenied, Unauthenticated
from crossfleet.foundation.errors.base import CrossfleetError, FieldViolation
from crossfleet.foundation.errors.internal import InternalError
from crossfleet.foundation.errors.load import Cancelled, DeadlineExceeded, QueueFull, TooManyOpen, Unavailable
from crossfleet.foundation.errors.registry import DOMAIN, ERRORS_BY_REASON
from crossfleet.foundation.errors.requests import InvalidArgument, MessageTooLarge, Unimplemented

DETAILS_KEY = "grpc-status-details-bin"
# Trailers over 8 KiB are refused by peers with default limits, and the text travels twice (grpc-message, details).
_MESSAGE_CHARS = 800
_VALUE_CHARS = 400
_METADATA_BYTES = 2000
_FIELDS = 8
_FIELD_CHARS = 150
_CUT = re.compile(r" \.\.\. \(\d+ more\)$")
# grpc.aio's own words for a message that was written to a stream which had just been ended: its real status is lost.
_WRITTEN_TOO_LATE = "Internal error from Core"
# And gRPC's for a server that does not answer in time, and for one that is not there.
_TOO_LATE = "Deadline Exceeded"
_NO_CONNECTION = re.compile(
    r"failed to connect to all addresses; last error: (?:[A-Z_]+: )?(?:ipv4:|ipv6:)?(?P<where>\S+): "
    r"(?:Failed to connect to remote host: )?(?P<why>.+)",
    re.DOTALL,
)

_BY_CODE: Mapping[grpc.StatusCode, type[CrossfleetError]] = {
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: QueueFull,
}


def shorten(text: str, limit: int) -> str:
    """`text` made valid UTF-8 and at most `limit` characters long, with a mark where it was cut."""
    valid = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(valid) <= limit:
        return valid
    return f"{valid[: limit - 20]} ... ({len(valid) - limit + 20} more)"


def to_status(error: CrossfleetError) -> status_pb2.Status:
    """The google.rpc.Status of an error, short enough for the trailers of any peer."""
    status = status_pb2.Status(code=error.code.value[0], message=shorten(str(error), _MESSAGE_CHARS))
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    room = _METADATA_BYTES
    for key, value in error.metadata.items():
        short = shorten(value, _VALUE_CHARS)
        room -= len(key) + len(short.encode())
        if room >= 0:
            info.metadata[key] = short
    status.details.add().Pack(info)
    if error.fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=shorten(field.path, _FIELD_CHARS), description=shorten(field.description, _FIELD_CHARS)
            )
            for field in error.fields[:_FIELDS]
        ]
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def error_from_status(status: status_pb2.Status) -> CrossfleetError:
    """The error that `to_status` was given; of a status without our ErrorInfo, the nearest class of its code."""
    info: error_details_pb2.ErrorInfo | None = None
    fields: list[FieldViolation] = []
    retry_after: float | None = None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            fields += [FieldViolation(item.field, item.description) for item in bad.field_violations]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    known = ERRORS_BY_REASON.get(info.reason) if info is not None and info.domain == DOMAIN else None
    kind = known or _class_of_code(_code(status.code), status.message)
    text, fields = _parted(status.message, fields)
    error = kind(text or kind.reason, fields=fields, retry_after=retry_after)
    error.metadata = dict(info.metadata) if info is not None else {}
    return error


def _parted(message: str, fields: list[FieldViolation]) -> tuple[str, list[FieldViolation]]:
    """The message without the fields, which the wire text repeats for people who read only that, and the fields.

    What was cut off for want of room in the only field is taken from the message.
    """
    if not fields:
        return message, fields
    text, mark, told = message.partition(f"; {fields[0].path}: ")
    if not mark or not told.startswith(_CUT.sub("", fields[0].description)):
        return message, fields
    return text, [FieldViolation(fields[0].path, told)] if len(fields) == 1 else fields


def error_from_reason(reason: str, message: str, metadata: Mapping[str, str] | None = None) -> CrossfleetError:
    """The error of a reason that came inside a message; the ERROR_REASON_ prefix may be there or not."""
    kind = ERRORS_BY_REASON.get(reason.removeprefix("ERROR_REASON_"), InternalError)
    error = kind(message)
    error.metadata = dict(metadata or {})
    return error


def error_from_rpc(error: grpc.RpcError) -> CrossfleetError:
    """The error that the other side raised, as the same class with the same metadata (sync or aio client)."""
    if not isinstance(error, (grpc.aio.AioRpcError, grpc.Call)):
        return InternalError(f"not a call's error: {type(error).__name__}")
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return error_from_status(status_pb2.Status.FromString(value))
    text = error.details() or ""
    return _class_of_code(error.code(), text)(_plain(text))


def _plain(text: str) -> str:
    away = _NO_CONNECTION.fullmatch(text)
    if away is None:
        return "no answer came in time" if text == _TOO_LATE else text
    where = away["where"].replace("%5B", "[").replace("%5D", "]")
    return f"no connection to {where}: {away['why']}"


@contextmanager
def translated() -> Iterator[None]:
    """Re-raises a call's RpcError as the CrossfleetError that it stands for; Unavailable where its channel was closed under it."""
    try:
        yield
    except grpc.RpcError as error:
        raise error_from_rpc(error) from error
    except grpc.aio.UsageError:
        # It was closed between two calls.
        raise Unavailable("the connection was closed") from None
    except asyncio.CancelledError:
        # grpc.aio says so also of a call whose channel others have closed.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("the connection was closed") from None


def _code(number: int) -> grpc.StatusCode:
    return next((code for code in grpc.StatusCode if code.value[0] == number), grpc.StatusCode.UNKNOWN)


def _class_of_code(code: grpc.StatusCode | None, text: str) -> type[CrossfleetError]:
    # gRPC itself answers these with a text and no details.
    if code is grpc.StatusCode.INTERNAL and text == _WRITTEN_TOO_LATE:
        return Unavailable
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        return MessageTooLarge
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "oncurrent RPC limit" in text:
        return TooManyOpen
    return _BY_CODE.get(code, InternalError) if code is not None else InternalError
