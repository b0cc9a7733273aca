"""What people read of devices: what is known of each, from whom, since when, and what an administrator says instead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.types.v1.device_pb2 import AttributeValue, Device, Worker
from crossfleet.cli.reporting.table import shorten
from crossfleet.cli.reporting.times import local

_NAMED = 3


def device_lines(worker: str, device: Device) -> Iterator[str]:
    """All that is known of a device, each attribute as selectors see it."""
    yield f"{worker}: {device.device_id} ({device.device_class}, found by {device.detector}, seen {local(device.probed_at)})"
    if device.conditions:
        yield f"  device.conditions = [{', '.join(device.conditions)}]"
    if device.shareable:
        yield "  shareable: slots may hold portions of its capacities"
    for name in sorted(device.capacities.keys() - device.attributes.keys()):
        yield f"  device.capacities.{name} = {device.capacities[name]}"
    for name in sorted(device.attributes):
        note = ""
        if name in device.override.reported:
            reported = device.override.reported[name]
            note = (
                f"   overridden: {device.detector} says {shown(reported)}"
                if reported.WhichOneof("kind")
                else "   added"
            )
        yield f"  device.{name} = {shown(device.attributes[name])}{note}"
    if device.HasField("override"):
        yield f"  {said(device)}"


def silent_lines(worker: Worker) -> Iterator[str]:
    """A line for each detector that gives no answer, or leaves devices out: what it would find is missing, or stale."""
    for detector in sorted(worker.detector_errors):
        yield f"{worker.worker_id}: detector {detector}: {worker.detector_errors[detector]}"


def said(device: Device) -> str:
    """What an administrator says of a device, and who, when and why; empty where nobody says anything."""
    if not device.HasField("override"):
        return ""
    override = device.override
    names = sorted(override.reported)
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    what = (["hidden"] if override.hidden else []) + (
        [f"overridden: {', '.join([*names[:_NAMED], *more])}"] if names else []
    )
    by = f" by {override.author}" if override.author else ""
    why = f": {override.reason}" if override.reason else ""
    return f"{'; '.join(what)} ({local(override.at)}{by}{why})"


def shown(value: AttributeValue) -> str:
    """An attribute as one would write it in a selector."""
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return shorten(f"[{', '.join(value.list_value.values)}]", 100)
    if kind == "version_value":
        return f'version("{value.version_value}")'
    if kind == "string_value":
        return f'"{value.string_value}"'
    if kind == "bool_value":
        return str(value.bool_value).lower()
    return str(getattr(value, kind)) if kind else "(none)"


def ago(at: Timestamp, now: datetime | None = None) -> str:
    """How long ago that was, such as `3 min`; empty where it is unset."""
    if not at.seconds:
        return ""
    seconds = max(0, int((now or datetime.now(UTC)).timestamp()) - at.seconds)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
