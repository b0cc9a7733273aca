"""Times for people (local, with offset) and for programs (RFC 3339, UTC)."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def local(at: Timestamp) -> str:
    """`2026-11-23 22:15:04+01:00`; empty where it is unset."""
    return datetime.fromtimestamp(at.seconds).astimezone().isoformat(" ", "seconds") if at.seconds else ""


def utc(at: Timestamp) -> str | None:
    """`2026-11-23T21:15:04.123Z`; None where it is unset."""
    if not at.seconds:
        return None
    moment = datetime.fromtimestamp(at.ToNanoseconds() / 1e9, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(start: Timestamp, end: Timestamp) -> float:
    """Seconds from one to the other; zero where one is unset."""
    return (end.ToNanoseconds() - start.ToNanoseconds()) / 1e9 if start.seconds and end.seconds else 0.0
