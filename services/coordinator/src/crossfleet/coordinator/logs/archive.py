"""Output in the artifact store that several coordinators share: sealed segments, each of one run and one leader's term.

`logs/RUN/TERM-NUMBER`, in order of terms and numbers. A term that ended in order has a last segment `...-NUMBER.end`.
"""

from __future__ import annotations

import asyncio
import shutil
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from crossfleet.coordinator.artifacts.blobs import asking, put_new, remove
from crossfleet.coordinator.artifacts.place import Place
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource, is_plain
from crossfleet.foundation.errors import StorageCorrupt

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FOLDER = "logs"
_END = ".end"
Segment = list[tuple[LogSource, list[Piece]]]
_Stored = list[tuple[str, str, int, list[tuple[int, float, bytes]]]]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """Which segment of a run. `ends`: nothing of its term is missing."""

    term: int
    number: int
    ends: bool = False

    def text(self) -> str:
        """As the store names it."""
        return f"{self.term:012}-{self.number:08}{_END if self.ends else ''}"

    @staticmethod
    def parse(text: str) -> SegmentName | None:
        """The name of a segment; None where it is none."""
        term, _, number = text.removesuffix(_END).partition("-")
        return SegmentName(int(term), int(number), text.endswith(_END)) if (term + number).isdigit() else None


class LogArchive:
    """Segments in a shared place. Raises ArtifactStoreUnavailable while it is away."""

    def __init__(self, place: Place) -> None:
        """The place of the artifacts."""
        self._place = place
        self._store: ObjectStore | None = None

    def _opened(self) -> ObjectStore:
        if self._store is None:
            self._store = self._place.open()
        return self._store

    async def put(self, run_id: str, name: SegmentName, segment: Segment) -> None:
        """Stores a segment; one of this name has the same content."""
        with asking(self._place, writing=True):
            await put_new(self._opened(), _key(run_id, name), await asyncio.to_thread(encode, segment), new=True)

    async def names(self, run_id: str) -> list[SegmentName]:
        """The segments of a run, in order."""
        if not is_plain(run_id):
            return []
        found: list[SegmentName] = []
        with asking(self._place):
            async for some in self._opened().list(f"{FOLDER}/{run_id}", chunk_size=500):
                names = (SegmentName.parse(one["path"].rpartition("/")[2]) for one in some)
                found += [name for name in names if name is not None]
        return sorted(found)

    async def get(self, run_id: str, name: SegmentName) -> Segment:
        """A segment; an empty one where it was removed meanwhile. Raises StorageCorrupt."""
        key = _key(run_id, name)
        try:
            with asking(self._place):
                content = bytes(await (await self._opened().get_async(key)).bytes_async())
        except FileNotFoundError:
            return []
        try:
            return await asyncio.to_thread(decode, run_id, content)
        except (zlib.error, msgspec.MsgspecError):
            raise StorageCorrupt(f"{key} of {self._place.url} is damaged", path=key) from None

    async def runs(self) -> list[str]:
        """Runs that have output here."""
        with asking(self._place):
            found = await self._opened().list_with_delimiter_async(FOLDER)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    async def remove(self, run_id: str) -> None:
        """Removes the output of a run."""
        names = await self.names(run_id)
        await remove(self._place, self._opened(), [_key(run_id, name) for name in names])
        if self._place.folder is not None and is_plain(run_id):
            await asyncio.to_thread(shutil.rmtree, self._place.folder / FOLDER / run_id, ignore_errors=True)


def _key(run_id: str, name: SegmentName) -> str:
    return f"{FOLDER}/{run_id}/{name.text()}"


def encode(segment: Segment) -> bytes:
    """A segment as bytes."""
    rows = [
        (source.target, source.worker_id, source.slot, [(one.stream, one.at, one.content) for one in pieces])
        for source, pieces in segment
    ]
    return zlib.compress(_encoder.encode(rows), 1)


def decode(run_id: str, content: bytes) -> Segment:
    """The segment of a run. Raises zlib.error and msgspec.MsgspecError for what is none."""
    return [
        (LogSource(run_id, target, worker_id, slot), [Piece(stream, body, at) for stream, at, body in pieces])
        for target, worker_id, slot, pieces in _decoder.decode(zlib.decompress(content))
    ]
