"""Requests that cannot be served as they are."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class InvalidArgument(CrossfleetError):
    """A field is missing, malformed or out of range."""

    reason = "INVALID_ARGUMENT"
    code = StatusCode.INVALID_ARGUMENT


class SelectorInvalid(CrossfleetError):
    """A selector is not valid CEL, names an unknown attribute or does not yield a bool."""

    reason = "SELECTOR_INVALID"
    code = StatusCode.INVALID_ARGUMENT


class TargetUnsatisfiable(CrossfleetError):
    """No worker of this fleet can ever satisfy a target, and the request asked to fail then."""

    reason = "TARGET_UNSATISFIABLE"
    code = StatusCode.FAILED_PRECONDITION


class PageTokenInvalid(CrossfleetError):
    """A page token is not one that this list gave out, or its filter has changed since."""

    reason = "PAGE_TOKEN_INVALID"
    code = StatusCode.INVALID_ARGUMENT


class MessageTooLarge(CrossfleetError):
    """A message is longer than the receiver takes."""

    reason = "MESSAGE_TOO_LARGE"
    code = StatusCode.RESOURCE_EXHAUSTED


class ProtocolVersionUnsupported(CrossfleetError):
    """The peer speaks a protocol version that this service does not."""

    reason = "PROTOCOL_VERSION_UNSUPPORTED"
    code = StatusCode.FAILED_PRECONDITION


class Unimplemented(CrossfleetError):
    """The method or option exists in the protocol and is not served by this version."""

    reason = "UNIMPLEMENTED"
    code = StatusCode.UNIMPLEMENTED


class LocalPathRefused(CrossfleetError):
    """An interpreter path or a workspace in place was named for a fleet that runs on other machines."""

    reason = "LOCAL_PATH_REFUSED"
    code = StatusCode.FAILED_PRECONDITION


class TestArgumentRefused(CrossfleetError):
    """A test argument cannot work on a fleet (for example --pdb)."""

    reason = "TEST_ARGUMENT_REFUSED"
    code = StatusCode.INVALID_ARGUMENT
