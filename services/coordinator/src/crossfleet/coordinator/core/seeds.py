"""Hash seeds of runs. One run in a folder tells that of the next there, so that an interpreter may be ready for it."""

from __future__ import annotations

import zlib
from collections import OrderedDict

_MOST_FOLDERS = 1_000


def following(seed: int) -> int:
    """The seed that follows one in the same folder. All are 32 bits, and as good as drawn."""
    return zlib.crc32(b"next" + seed.to_bytes(4, "big")) or 1


class Seeds:
    """The last seed of each folder. Lost with the leader, which costs the next run there a slower begin."""

    def __init__(self) -> None:
        """No run is known."""
        self._last: OrderedDict[str, int] = OrderedDict()

    def draw(self, run_id: str, folder: str) -> int:
        """The seed of a new run. Runs that are not executed in a folder where they lie have `folder` empty."""
        last = self._last.pop(folder, None)
        seed = zlib.crc32(run_id.encode()) or 1 if last is None else following(last)
        if folder:
            self._last[folder] = seed
        if len(self._last) > _MOST_FOLDERS:
            self._last.popitem(last=False)
        return seed
