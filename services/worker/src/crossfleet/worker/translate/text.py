"""Output of tests is bytes; what people read is valid UTF-8. Both have limits, and a mark where they were cut."""

from __future__ import annotations

MESSAGE_BYTES = 1000
DETAILS_BYTES = 256 * 1024
ENDING_BYTES = 64 * 1024


def as_bytes(text: str) -> bytes:
    """The bytes that were read with surrogateescape; lone surrogates of other origin are written out."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def as_text(text: str, limit: int = 0) -> str:
    """Valid UTF-8 text, distinct for distinct input; longer than `limit` bytes (zero: any) it ends with an ellipsis."""
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
        text = raw.decode("utf-8")
    if limit and len(raw) > limit:
        return raw[: limit - 3].decode("utf-8", "ignore") + "..."
    return text


def cut_middle(content: bytes, limit: int) -> bytes:
    """At most `limit` bytes: head and tail, and between them how many bytes were left out."""
    if len(content) <= limit:
        return content
    room = limit - 64
    head = room // 2
    tail = room - head
    mark = f"\n... {len(content) - head - tail} bytes cut ...\n".encode()
    return content[:head] + mark + content[-tail:]


def cut_head(text: str, limit: int) -> str:
    """Valid text of at most `limit` bytes: its end, after a mark that says how many bytes were left out."""
    raw = as_text(text).encode()
    if len(raw) <= limit:
        return raw.decode()
    tail = raw[-(limit - 64) :]
    return f"... {len(raw) - len(tail)} bytes cut ...\n" + tail.decode("utf-8", "ignore")
