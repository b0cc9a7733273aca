"""Artifacts that could not be stored in time: kept on this worker's disk until they can be."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crossfleet.foundation.errors import CrossfleetError, InvalidArgument, RunNotFound
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.retry import delays
from crossfleet.worker.about import About, about_from
from crossfleet.worker.uploading import FILES_AT_ONCE, Left, StoreAway, Uploading, files_below

_FILES, _UNFINISHED = "files", ".new"
_FIRST_SECONDS, _LONGEST_SECONDS = 1.0, 60.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, in bytes, and for how many days."""

    most_bytes: int
    days: float


class LateArtifacts:
    """One folder for each allocation: what it was for, and the files that are not stored yet. The folder is the journal:
    what is stored is removed from it, and what lies there is sent, whoever put it there.
    """

    def __init__(self, folder: Path, uploading: Uploading, limits: Limits) -> None:
        """Nothing is read before `run`."""
        self._folder = folder
        self._uploading = uploading
        self._limits = limits
        self._moving = threading.Lock()
        self._more = asyncio.Event()

    def keep(self, place: Path, stored: Iterable[Left] = ()) -> list[str]:
        """Take the artifacts of the allocation whose folder is `place`, but for those that are `stored`.

        Answers the names of all of it that waits. Blocks: call it from a thread, as often as you like. Raises OSError.
        """
        entry = self._folder / place.name
        with self._moving:
            if (about := about_from(place)) is not None:
                self._take(entry, about, place / "artifacts", {(left.path, left.changed) for left in stored})
        names = sorted(self._uploading.name(left.name) for left in files_below(entry / _FILES))
        if names:
            self._make_room()
        return names

    @property
    def waiting(self) -> bool:
        """Whether there is something that is not stored yet."""
        return self._folder.is_dir() and any(self._folder.iterdir())

    def wake(self) -> None:
        """There may be something to send now."""
        self._more.set()

    async def run(self) -> None:
        """Send until cancelled. What cannot be sent now is tried again, with pauses that grow."""
        pauses = delays(first=_FIRST_SECONDS, longest=_LONGEST_SECONDS)
        while True:
            self._more.clear()
            try:
                for entry in await asyncio.to_thread(self._entries):
                    await self._send(entry)
            except (StoreAway, CrossfleetError, OSError) as error:
                get_logger().info("artifacts go on waiting", message=str(error))
                await asyncio.sleep(next(pauses))
            else:
                pauses = delays(first=_FIRST_SECONDS, longest=_LONGEST_SECONDS)
                await self._more.wait()

    def _take(self, entry: Path, about: About, artifacts: Path, stored: set[tuple[Path, int]]) -> None:
        waiting = False
        for left in list(files_below(artifacts)):
            if (left.path, left.changed) in stored or not self._uploading.fits(left):
                left.path.unlink(missing_ok=True)
            else:
                waiting = True
        if waiting:
            made = entry.with_name(entry.name + _UNFINISHED)
            about.write_to(made)
            artifacts.rename(made / _FILES)
            made.rename(entry)

    def _entries(self) -> list[Path]:
        """The oldest first. What an earlier agent had begun to keep is finished before."""
        found = []
        with self._moving:
            for path in self._folder.glob(f"*{_UNFINISHED}"):
                path.rename(path.with_name(path.name.removesuffix(_UNFINISHED)))
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            try:
                found.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        return [path for _, path in sorted(found)]

    def _make_room(self) -> None:
        """Let go of what has waited too long, and of the oldest where it is too much."""
        entries = self._entries()
        sizes = {entry: sum(left.size for left in files_below(entry)) for entry in entries}
        for entry in entries:
            old = time.time() - entry.stat().st_mtime > self._limits.days * _DAY
            if old or sum(sizes.values()) > self._limits.most_bytes:
                lost = sizes.pop(entry)
                get_logger().error("artifacts that waited are given up", allocation=entry.name, size_bytes=lost)
                shutil.rmtree(entry, ignore_errors=True)

    async def _send(self, entry: Path) -> None:
        about = about_from(entry)
        if about is not None:
            found = await asyncio.to_thread(lambda: sorted(files_below(entry / _FILES), key=lambda left: left.path))
            for start in range(0, len(found), FILES_AT_ONCE):
                some = found[start : start + FILES_AT_ONCE]
                try:
                    await self._uploading.store(about, some)
                except (InvalidArgument, RunNotFound) as error:
                    get_logger().error("artifacts that waited are given up", allocation=entry.name, message=str(error))
                for left in some:
                    left.path.unlink(missing_ok=True)
            if found:
                get_logger().info("artifacts that waited are stored", run=about.run, number=len(found))
        await asyncio.to_thread(shutil.rmtree, entry, ignore_errors=True)
