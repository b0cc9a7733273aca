"""Results that the coordinator has not committed yet, on disk.

Segments ``<first sequence>.log`` hold records ``length, crc32, sequence, payload``. A segment is removed when
all that it holds is acknowledged. After a crash the valid prefix of each segment is read again.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_HEAD = struct.Struct(">IIQ")
_SAID = struct.Struct(">IQ")
_ACKNOWLEDGED = 0xFFFFFFFF
"""A head with this length says that all up to its sequence is acknowledged."""
SEGMENT_BYTES = 4 * 1024 * 1024
MAXIMUM_BYTES = 256 * 1024 * 1024
_RECENT_BYTES = 1024 * 1024
_INDEX_BYTES = 128 * 1024


class Journal:
    """Append, sync, acknowledge. Sequences are 1, 2, 3... from the day that the journal is made.

    Nothing may be told to anybody before ``sync``. ``full`` says that the writer must pause until an acknowledgement.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        """Start a journal in ``folder``, which must be empty: each life of a shim has a folder of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._maximum_bytes = maximum_bytes
        self._segments: deque[_Segment] = deque()
        self._pending: list[bytes] = []
        self._next = 1
        self._acknowledged = 0
        self._bytes = 0
        self._recent: deque[tuple[int, bytes]] = deque()
        self._recent_bytes = 0

    @property
    def next_sequence(self) -> int:
        """The sequence that the next record will get."""
        return self._next

    @property
    def synced(self) -> int:
        """The newest sequence that is durable."""
        return self._next - 1 - len(self._pending) // 2

    @property
    def first_sequence(self) -> int:
        """The oldest sequence that is not acknowledged; equals ``next_sequence`` when all are."""
        return self._acknowledged + 1

    @property
    def full(self) -> bool:
        """True while the journal holds more bytes than it may."""
        return self._bytes >= self._maximum_bytes

    def append(self, payload: bytes) -> int:
        """Add a record and return its sequence. It is durable only after ``sync``."""
        sequence = self._next
        self._next = sequence + 1
        checksum = _checksum(len(payload), sequence, payload)
        self._pending.append(_HEAD.pack(len(payload), checksum, sequence))
        self._pending.append(payload)
        return sequence

    def sync(self) -> None:
        """Make every record durable: one write and one fdatasync for all since the last call.

        Raises OSError when the disk refuses; the records stay pending and a later call writes them again.
        """
        if not self._pending:
            return
        data = b"".join(self._pending)
        segment = self._writable()
        before = segment.size
        segment.write(data, durable=True)
        if not segment.index or before - segment.index[-1][1] >= _INDEX_BYTES:
            segment.index.append((self.synced + 1, before))
        segment.last = self._next - 1
        self._remember()
        self._pending.clear()
        self._bytes += len(data)

    def acknowledge(self, sequence: int) -> None:
        """Drop all records up to ``sequence``. Lower than before: ignored; unknown: capped at the newest."""
        sequence = min(sequence, self._next - 1)
        if sequence <= self._acknowledged:
            return
        self._acknowledged = sequence
        while (
            self._segments
            and self._segments[0].last <= sequence
            and not (len(self._segments) == 1 and self._segments[0].size < self._segment_bytes)
        ):
            done = self._segments.popleft()
            self._bytes -= done.remove()
        if self._segments:
            mark = _HEAD.pack(_ACKNOWLEDGED, _checksum(_ACKNOWLEDGED, sequence), sequence)
            try:
                self._segments[-1].write(mark, durable=False)
            except OSError:
                # Only a restart would notice: it would offer records again that are already committed.
                return
            self._bytes += len(mark)

    def read(self, sequence: int, limit: int) -> Iterator[tuple[int, bytes]]:
        """Yield synced records from ``sequence`` on, until about ``limit`` bytes of payload were given."""
        given = 0
        if self._recent and self._recent[0][0] <= sequence:
            # From the newest end: a reader that keeps up wants few of many.
            wanted = list(islice(reversed(self._recent), max(0, self.synced + 1 - sequence)))
            for number, payload in reversed(wanted):
                yield number, payload
                given += len(payload)
                if given >= limit:
                    return
            return
        for segment in list(self._segments):
            if segment.last < sequence:
                continue
            for number, payload in segment.records(sequence):
                if number >= sequence:
                    yield number, payload
                    given += len(payload)
                    if given >= limit:
                        return

    def _remember(self) -> None:
        """Keep the newest records in memory: an agent that keeps up never makes us read the disk."""
        sequence = self.synced + 1
        for payload in self._pending[1::2]:
            self._recent.append((sequence, payload))
            self._recent_bytes += len(payload)
            sequence += 1
        while self._recent_bytes > _RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft()[1])

    def close(self) -> None:
        """Close the files; they stay."""
        for segment in self._segments:
            os.close(segment.descriptor)
        self._segments.clear()

    def _writable(self) -> _Segment:
        if not self._segments or self._segments[-1].size >= self._segment_bytes:
            first = self._next - len(self._pending) // 2
            self._segments.append(_Segment(self._folder / f"{first:020d}.log"))
            _sync_folder(self._folder)
        return self._segments[-1]


class _Segment:
    """One file of a journal."""

    __slots__ = ("descriptor", "index", "last", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = 0
        self.last = 0
        self.index: list[tuple[int, int]] = []
        """Some (sequence, offset) pairs, so that a reader need not start at the beginning."""

    def write(self, data: bytes, *, durable: bool) -> None:
        """Append all of ``data`` or, raising OSError, nothing."""
        view = memoryview(data)
        written = 0
        try:
            while written < len(view):
                written += os.write(self.descriptor, view[written:])
            if durable:
                os.fdatasync(self.descriptor)
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)

    def remove(self) -> int:
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)
        return self.size

    def records(self, sequence: int) -> Iterator[tuple[int, bytes]]:
        """Yield the records of this segment from ``sequence``, or a little before it, on."""
        offset = 0
        for first, at in self.index:
            if first > sequence:
                break
            offset = at
        data = os.pread(self.descriptor, self.size - offset, offset)
        for length, number, payload in _valid(data):
            if length != _ACKNOWLEDGED:
                yield number, payload


def leftover(folder: Path) -> list[bytes]:
    """Return the payloads that an earlier life journalled and nobody is known to have acknowledged, oldest first.

    A record that a crash tore, and all behind it in its segment, is not returned. An acknowledgement that had not
    reached the disk is forgotten, so at most the records of the segments still present come back.
    """
    kept: dict[int, bytes] = {}
    acknowledged = 0
    for path in sorted(folder.glob("*.log")):
        for length, sequence, payload in _valid(path.read_bytes()):
            if length == _ACKNOWLEDGED:
                acknowledged = max(acknowledged, sequence)
            else:
                kept[sequence] = payload
    return [kept[sequence] for sequence in sorted(kept) if sequence > acknowledged]


def _valid(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (length, sequence, payload) of the records of a segment, up to the first that is torn."""
    offset = 0
    while offset + _HEAD.size <= len(data):
        length, checksum, sequence = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        payload = b"" if length == _ACKNOWLEDGED else data[offset : offset + length]
        if length != _ACKNOWLEDGED and len(payload) < length:
            return
        if _checksum(length, sequence, payload) != checksum:
            return
        yield length, sequence, payload
        offset += len(payload)


def _checksum(length: int, sequence: int, payload: bytes = b"") -> int:
    """Of all that a record says: a flipped bit of its length or sequence is noticed as well."""
    return zlib.crc32(payload, zlib.crc32(_SAID.pack(length, sequence)))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
