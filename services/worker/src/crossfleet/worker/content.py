"""Files by their SHA-256, kept once a host and copied cheaply from there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crossfleet.foundation.errors.content import DigestMismatch, DiskFull

# FICLONE of linux/fs.h: the copy shares the blocks until one of the two is written to.
_CLONE = 0x40049409
_CLONE_REFUSED = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})

# How exactly a file's time says when it was used last.
_USED_SECONDS = 3600.0


class ContentCache:
    """A folder of files named by digest. Several workers may use it at once: each file appears whole or not."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when something is stored."""
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Where a file of this digest is or would be."""
        return self._folder / digest[:2] / digest

    def has(self, digest: str) -> bool:
        """Whether it is there; if so, it counts as used now."""
        path = self.path(digest)
        try:
            if time.time() - path.stat().st_mtime > _USED_SECONDS:
                os.utime(path)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def receive(self, digest: str) -> Iterator[Receiving]:
        """Take in a file piece by piece. At the end it is checked and made visible, or nothing was stored.

        Raises DigestMismatch, DiskFull.
        """
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{digest}.{secrets.token_hex(8)}")
        try:
            with beside.open("wb") as file:
                receiving = Receiving(file)
                yield receiving
            if receiving.digest != digest:
                raise DigestMismatch(
                    "other bytes arrived than were asked for", expected=digest, actual=receiving.digest
                )
            beside.chmod(0o444)
            beside.rename(target)
        except OSError as error:
            raise _full_or_same(error, self._folder) from error
        finally:
            beside.unlink(missing_ok=True)

    def copy(self, digest: str, target: Path, *, executable: bool) -> None:
        """Copy a file out, sharing its blocks where the file system can. Raises DiskFull, FileNotFoundError.

        Never a hard link: a test that writes into its file would change the content of all.
        """
        try:
            with self.path(digest).open("rb") as source, target.open("xb") as copy:
                if not _cloned(source, copy):
                    shutil.copyfileobj(source, copy, 1 << 20)
                os.fchmod(copy.fileno(), 0o755 if executable else 0o644)
        except OSError as error:
            raise _full_or_same(error, target) from error


class Receiving:
    """A file that is arriving."""

    def __init__(self, file: BinaryIO) -> None:
        """Written to `file`, hashed on the way."""
        self._file = file
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what has arrived so far."""
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        """The next piece."""
        self._hash.update(piece)
        self._file.write(piece)


def _cloned(source: BinaryIO, copy: BinaryIO) -> bool:
    try:
        fcntl.ioctl(copy.fileno(), _CLONE, source.fileno())
    except OSError as error:
        if error.errno in _CLONE_REFUSED:
            return False
        raise
    return True


def _full_or_same(error: OSError, path: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no room on the worker's disk for {path}", path=str(path))
    return error
