"""Who leads. One coordinator alone on a machine: whoever holds the lock of the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossfleet.foundation.filesystems import refuse_network_filesystem
from crossfleet.foundation.lock import FolderLock


@contextmanager
def solo_election(folder: Path) -> Iterator[FolderLock]:
    """Leads as long as the block runs. The epoch is raised by the ledger when it is taken over.

    Raises DataFolderInUse (with pid and address of the holder) and NetworkFileSystem: SQLite's locks do not hold there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_network_filesystem(folder)
    with FolderLock(folder) as lock:
        yield lock
