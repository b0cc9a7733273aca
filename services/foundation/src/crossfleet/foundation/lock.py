"""One process a data folder."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from crossfleet.foundation.errors.installation import DataFolderInUse

_NAME = "lock"
# `owner` takes a shared lock for a moment to see whether anybody holds it; so a refusal is tried again.
_TRIES = 5
_PAUSE_SECONDS = 0.02


class Owner(msgspec.Struct, frozen=True):
    """Who holds a folder: its process id, and where it can be reached ("" before it serves)."""

    pid: int
    address: str = ""


class FolderLock:
    """Holds `folder` for this process from `acquire` to `release`; the system releases it when the process ends.

    So the lock of a dead owner is simply taken over, whatever its file says.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._descriptor = -1

    def acquire(self) -> Self:
        """Takes the folder, made with mode 0700 when missing; does nothing while held. Raises DataFolderInUse (path, pid, address) and OSError."""
        import fcntl  # not on Windows, where no service runs

        if self._descriptor >= 0:
            return self
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for remaining in reversed(range(_TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not remaining:
                    os.close(descriptor)
                    raise self._in_use() from None
                time.sleep(_PAUSE_SECONDS)
        self._descriptor = descriptor
        self.announce("")
        return self

    def announce(self, address: str) -> None:
        """Writes down where the owner can be reached. Only while held."""
        if self._descriptor < 0:
            raise RuntimeError("the folder is not held")
        content = msgspec.json.encode(Owner(os.getpid(), address))
        # In place, not by rename: the lock belongs to this very file. One write of a few bytes is read whole or is
        # not JSON, which `owner` takes for an owner that has not announced itself yet.
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))

    def release(self) -> None:
        """Gives the folder back. Safe to call twice. The file stays: removing it would let two owners in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @staticmethod
    def owner(folder: str | Path) -> Owner | None:
        """The living owner of `folder`; None when nobody holds it."""
        import fcntl

        with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(Path(folder, _NAME), "rb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read(opened.read(4096))
        return None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _in_use(self) -> DataFolderInUse:
        owner = self.owner(self._folder) or Owner(0)
        who = f"process {owner.pid}" if owner.pid else "another process"
        where = f", which serves {owner.address}" if owner.address else ""
        return DataFolderInUse(
            f"{self._folder} is in use by {who}{where}: join it, stop it, or choose another data folder",
            path=self._folder,
            pid=owner.pid,
            address=owner.address,
        )


def _read(content: bytes) -> Owner:
    try:
        return msgspec.json.decode(content, type=Owner)
    except msgspec.DecodeError:
        return Owner(0)
