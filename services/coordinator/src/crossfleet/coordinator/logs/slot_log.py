"""The output of one slot: a plain file of bytes, and beside it an index that says what came when, and from where."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ENTRY = struct.Struct("<QIId")  # offset, length, stream, unix seconds


@dataclass(frozen=True, slots=True)
class Piece:
    """Some output: LogStream number, bytes as written, unix seconds."""

    stream: int
    content: bytes
    at: float


class SlotLog:
    """Append-only. The index is written after the bytes, so that what it names is there after any crash."""

    def __init__(self, path: Path, cap_bytes: int) -> None:
        """Keeps the bytes in `path`, at most `cap_bytes` of them, and the index beside it."""
        self._path = path
        self._index = path.with_suffix(".index")
        self._cap = cap_bytes

    def append(self, pieces: list[Piece]) -> int:
        """Stores pieces; answers the bytes stored. What goes over the cap is dropped, with a mark. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as data, self._index.open("ab") as index:
            start = at = data.tell()
            for piece in pieces:
                content = piece.content
                if at >= self._cap:
                    break
                if at + len(content) > self._cap:
                    content = content[: self._cap - at] + f"\n[cut: more than {self._cap} bytes]\n".encode()
                data.write(content)
                data.flush()
                index.write(_ENTRY.pack(at, len(content), piece.stream, piece.at))
                at += len(content)
        return at - start

    def read(self, start: int) -> Iterator[Piece]:
        """The pieces from number `start` on, the first being 0."""
        if not self._index.exists():
            return
        with self._path.open("rb") as data, self._index.open("rb") as index:
            index.seek(start * _ENTRY.size)
            while len(entry := index.read(_ENTRY.size)) == _ENTRY.size:
                offset, length, stream, at = _ENTRY.unpack(entry)
                data.seek(offset)
                yield Piece(stream, data.read(length), at)
