"""How one log event looks as a line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

_HEAD = ("timestamp", "level", "event", "service", "exception")
_encoder = msgspec.json.Encoder(enc_hook=str)


def json_line(event: Mapping[str, Any]) -> str:
    """One JSON object; the time as ISO 8601 in UTC. Values that JSON does not know become text."""
    stamped = {**event, "timestamp": _time(event["timestamp"]).isoformat(timespec="milliseconds")}
    try:
        return _encoder.encode(stamped).decode() + "\n"
    except (TypeError, ValueError, UnicodeError):  # keys that are no text, lone surrogates
        plain = {str(k): str(v).encode("utf-8", "backslashreplace").decode() for k, v in stamped.items()}
        return _encoder.encode(plain).decode() + "\n"


def console_line(event: Mapping[str, Any]) -> str:
    """`21:35:02.123 warning  coordinator: worker is silent worker=w1`, a traceback on the lines below."""
    keys = "".join(f" {key}={_short(value)}" for key, value in event.items() if key not in _HEAD)
    clock = _time(event["timestamp"]).strftime("%H:%M:%S.%f")[:-3]
    trace = f"\n{event['exception']}" if "exception" in event else ""
    text = f"{clock} {event['level']:7} {event['service']}: {event['event']}{keys}{trace}\n"
    return text.encode("utf-8", "backslashreplace").decode()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _short(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(character.isspace() for character in text) else text
