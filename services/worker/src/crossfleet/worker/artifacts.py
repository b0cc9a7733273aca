"""Files that cases leave in CROSSFLEET_ARTIFACTS: stored while and when their allocation ends, or kept for later."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.about import About, forget, known
from crossfleet.worker.late import LateArtifacts
from crossfleet.worker.uploading import FILES_AT_ONCE, Left, StoreAway, Uploading, files_below, not_files_below

_MOST_NAMES = 1000

Then = Callable[[Sequence[str], Sequence[str]], None]
"""Called with the names of what is kept for later, and of what will never be stored."""


class Artifacts:
    """Looks after each attempt for files that have changed, and once more when the allocation has ended.

    Names are `WORKER/SLOT/PATH`. At the end what could not be stored is kept for later, and the folder is removed.
    """

    def __init__(self, place: Callable[[str], Path], uploading: Uploading, late: LateArtifacts) -> None:
        """`place` answers the folder of an allocation."""
        self._place = place
        self._uploading = uploading
        self._late = late
        self._kept: dict[str, dict[Path, Left]] = {}
        self._lost: dict[str, dict[Path, str]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._ended: dict[str, Then] = {}

    def collect(self, allocation: str, about: About | None) -> None:
        """Look for files, beside everything else; while that goes on, once more afterwards."""
        self._begin(allocation, about, last=False)

    def end(self, allocation: str, about: About | None, then: Then) -> None:
        """Look for the last time, call `then`, and remove the folder.

        A store that is away is not waited for. A second call for the same allocation, while the first goes on, changes nothing.
        """
        if allocation not in self._ended:
            self._ended[allocation] = then
            self._begin(allocation, about, last=True)

    def _begin(self, allocation: str, about: About | None, *, last: bool) -> None:
        if allocation in self._running:
            self._again.add(allocation)
            return
        if not last and not self._has_files(allocation):
            return
        task = asyncio.ensure_future(self._collect(allocation, about))
        self._running[allocation] = task
        task.add_done_callback(lambda _: self._finished(allocation, about))

    async def settle(self, seconds: float) -> None:
        """Wait for what is under way, at most this long."""
        while self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=seconds)
            if late:
                return
            await asyncio.sleep(0)

    def _has_files(self, allocation: str) -> bool:
        return any(True for _ in files_below(self._place(allocation) / "artifacts"))

    def _finished(self, allocation: str, about: About | None) -> None:
        self._running.pop(allocation, None)
        if allocation in self._again:
            self._again.discard(allocation)
            self._begin(allocation, about, last=allocation in self._ended)
        elif allocation in self._ended:
            del self._ended[allocation]
            self._kept.pop(allocation, None)
            self._lost.pop(allocation, None)

    async def _collect(self, allocation: str, about: About | None) -> None:
        place = self._place(allocation)
        try:
            if about is not None and not self._uploading.away:
                await self._upload(allocation, about, place / "artifacts")
        except (StoreAway, CrossfleetError, OSError) as error:
            get_logger().warning("artifacts are not stored yet", allocation=allocation, message=str(error))
        then = self._ended.get(allocation)
        if then is None or allocation in self._again:
            return  # not the last look
        waiting = await self._keep(allocation, place)
        self._ended[allocation] = _told
        lost = sorted(self._lost.get(allocation, {}).values())
        then(waiting[:_MOST_NAMES], lost[:_MOST_NAMES])
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _keep(self, allocation: str, place: Path) -> list[str]:
        kept, lost = self._kept.get(allocation, {}), self._lost.setdefault(allocation, {})
        if not await asyncio.to_thread(known, place):
            # An earlier agent was here, and nobody has heard what it found.
            lost[place] = place.name
        try:
            lost.update(await asyncio.to_thread(self._never_stored, place / "artifacts", kept))
            waiting = await asyncio.to_thread(self._late.keep, place, list(kept.values()))
            await asyncio.to_thread(forget, place)
        except OSError as error:
            get_logger().error("artifacts cannot be kept", allocation=allocation, message=str(error))
            lost[place] = place.name
            return []
        if waiting:
            self._late.wake()
        return waiting

    def _never_stored(self, folder: Path, kept: Collection[Path]) -> dict[Path, str]:
        """What is no file, and what is too large of that at which nobody has looked yet, since the store is away."""
        found = [left for left in files_below(folder) if left.path not in kept and not self._uploading.fits(left)]
        names = (*not_files_below(folder), *(left.name for left in found))
        return {folder / name: self._uploading.name(name) for name in names}

    async def _upload(self, allocation: str, about: About, folder: Path) -> None:
        kept, lost = self._kept.setdefault(allocation, {}), self._lost.setdefault(allocation, {})
        found = await asyncio.to_thread(lambda: sorted(files_below(folder), key=lambda left: left.path))
        changed = [left for left in found if kept.get(left.path) != left]
        for start in range(0, len(changed), FILES_AT_ONCE):
            some = changed[start : start + FILES_AT_ONCE]
            unstored = {left.path: self._uploading.name(left.name) for left in await self._uploading.store(about, some)}
            kept.update({left.path: left for left in some})
            for left in some:
                lost.pop(left.path, None)
            lost.update(unstored)


def _told(_waiting: Sequence[str], _lost: Sequence[str]) -> None:
    """Stands for what was to be called at the end of an allocation, once that was done."""
