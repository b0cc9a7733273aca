"""The form of a backup: a line that names it, then frames. Each frame has its length and checksum; the last one sums all up.

A frame is a packed list: its kind, and what belongs to it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

MAGIC = b"crossfleet backup 1\n"
_FRAME = struct.Struct(">II")  # bytes of the body, its CRC-32
_LONGEST = 256 << 20


class Head(msgspec.Struct, array_like=True, tag="head"):
    """What it is a backup of. `at` in unix seconds; `revision` of the schema, `version` of crossfleet."""

    at: float
    version: str
    revision: str
    epoch: int
    seq: int
    next_attempt: int
    next_task: int
    next_allocation: int
    first_seq: int


class Rows(msgspec.Struct, array_like=True, tag="rows"):
    """Some rows of a table, with the values in the order of the columns."""

    table: str
    columns: list[str]
    rows: list[list[Any]]


class BlobPiece(msgspec.Struct, array_like=True, tag="blob"):
    """A piece of a blob, in order; `last` with the last one."""

    digest: str
    content: bytes
    last: bool


class OutputPiece(msgspec.Struct, array_like=True, tag="output"):
    """Output of a slot: stream, unix seconds and bytes of each piece, in order."""

    run_id: str
    target: str
    worker_id: str
    slot: int
    pieces: list[tuple[int, float, bytes]]


class End(msgspec.Struct, array_like=True, tag="end"):
    """What stands before it: rows by table, blobs, pieces of output, and the SHA-256 of all bytes."""

    tables: dict[str, int]
    blobs: int
    outputs: int
    digest: str


Frame = Head | Rows | BlobPiece | OutputPiece | End
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


class BackupDamaged(Exception):
    """The file is no backup, or not a whole one. The message says where."""


class _Sum:
    """What has gone by."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(MAGIC)
        self._tables: dict[str, int] = {}
        self._blobs = 0
        self._outputs = 0

    def add(self, frame: Frame, encoded: bytes) -> None:
        self._hash.update(encoded)
        if isinstance(frame, Rows):
            self._tables[frame.table] = self._tables.get(frame.table, 0) + len(frame.rows)
        elif isinstance(frame, BlobPiece):
            self._blobs += frame.last
        elif isinstance(frame, OutputPiece):
            self._outputs += len(frame.pieces)

    def end(self) -> End:
        return End(self._tables, self._blobs, self._outputs, self._hash.hexdigest())


class Writer:
    """Turns frames into bytes."""

    def __init__(self) -> None:
        """Nothing is written yet; `MAGIC` comes first."""
        self._sum = _Sum()

    def add(self, frame: Frame) -> bytes:
        """The bytes of a frame."""
        encoded = _encoded(frame)
        self._sum.add(frame, encoded)
        return encoded

    def end(self) -> bytes:
        """The bytes of the last frame."""
        return _encoded(self._sum.end())


def _encoded(frame: Frame) -> bytes:
    body = zlib.compress(_encoder.encode(frame), 1)
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def frames(file: BinaryIO) -> Iterator[Frame]:
    """The frames of a backup up to and with its End, each checked. Raises BackupDamaged."""
    if file.read(len(MAGIC)) != MAGIC:
        raise BackupDamaged("this is no backup of crossfleet, or one that a later version made")
    counted = _Sum()
    while True:
        at = file.tell()
        header = file.read(_FRAME.size)
        if len(header) < _FRAME.size:
            raise BackupDamaged(f"it ends at byte {at}, before its end was written: the backup was broken off")
        length, checksum = _FRAME.unpack(header)
        body = file.read(length) if length <= _LONGEST else b""
        if len(body) != length or zlib.crc32(body) != checksum:
            raise BackupDamaged(f"the bytes from {at} on are damaged")
        try:
            frame = _decoder.decode(zlib.decompress(body))
        except (zlib.error, msgspec.MsgspecError) as error:
            raise BackupDamaged(f"the frame at byte {at} cannot be read: {error}") from None
        if isinstance(frame, End):
            if frame != counted.end():
                raise BackupDamaged("it does not hold what its end says")
            if file.read(1):
                raise BackupDamaged("something follows its end")
            yield frame
            return
        counted.add(frame, header + body)
        yield frame
