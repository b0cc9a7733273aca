"""A run as one host sees it: a folder that the sessions of all its workers and targets share, and locks in it.

Only locks that end with their process (flock) say who lives, so that nobody waits for the dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from typing import Iterator, List, Optional

_POLL_SECONDS = 0.02


class HostRun:
    """The folder of a run on this host. Sessions join and leave; ``last`` is true for one that left nobody behind."""

    def __init__(self, run: str) -> None:
        above = os.path.join(tempfile.gettempdir(), "crossfleet-{}".format(os.getuid()))
        self.folder = os.path.join(above, run)
        self._above = above
        self._session: Optional[int] = None
        self._path = ""

    @property
    def joined(self) -> bool:
        """Whether this process, or the one that it was forked from, is a session of the run."""
        return self._session is not None

    def join(self) -> None:
        """Be a session of the run until ``leave``, or the death of this process and its forks."""
        os.makedirs(self._above, mode=0o700, exist_ok=True)
        if os.lstat(self._above).st_uid != os.getuid():
            raise PermissionError("{} belongs to somebody else".format(self._above))
        with self.mutex():
            self._path = os.path.join(self.folder, "session-{}".format(os.getpid()))
            self._session = take(self._path)

    def leave(self) -> bool:
        """Be no session any more. True when no other is left."""
        with self.mutex():
            self.close()
            os.unlink(self._path)
            return not self.sessions()

    def close(self) -> None:
        """Let go of what was inherited: a process that outlives its session must not stand for it."""
        if self._session is not None:
            os.close(self._session)
            self._session = None

    def sessions(self) -> List[str]:
        """The sessions that live. Call it under ``mutex``."""
        return [name for name in os.listdir(self.folder) if name.startswith("session-") and self.held(name)]

    def held(self, name: str) -> bool:
        """Whether some process holds the lock of a file in the folder."""
        try:
            descriptor = os.open(os.path.join(self.folder, name), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the folder, unless somebody has joined meanwhile."""
        with self.mutex():
            if not self.sessions():
                shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def mutex(self) -> Iterator[None]:
        """Be alone with the folder, for a moment."""
        path = os.path.join(self.folder, "mutex")
        while True:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # removed in between
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.path.exists(path) and os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                    yield
                    return
            finally:
                os.close(descriptor)


def take(path: str) -> int:
    """Lock a file of one's own. Returns its descriptor. Raises BlockingIOError when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _lock(descriptor):
        os.close(descriptor)
        raise BlockingIOError("{} is locked".format(path))
    return descriptor


@contextlib.contextmanager
def taken(path: str, deadline: float) -> Iterator[int]:
    """Hold the lock of a file, whose descriptor this is: a fork that goes its own way must close it.

    Raises TimeoutError when others hold it beyond ``deadline`` (time.monotonic).
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _lock(descriptor):
            pause(deadline, "{} is locked by another process".format(path))
        yield descriptor
    finally:
        os.close(descriptor)


def pause(deadline: float, why: str) -> None:
    """Wait a moment. Raises TimeoutError with ``why`` past the deadline."""
    if time.monotonic() > deadline:
        raise TimeoutError(why)
    time.sleep(_POLL_SECONDS)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
