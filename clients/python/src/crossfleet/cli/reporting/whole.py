"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes beside the file and renames, its folder made too. A link keeps pointing where it did.

    Raises OSError, which names the file also where the disk is full.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    try:
        _write(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, data: bytes) -> None:
    if path.exists() and not path.is_file():  # a pipe, a terminal: nothing can be renamed onto it
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.part")
    try:
        staged.write_bytes(data)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
