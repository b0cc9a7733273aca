"""Where a fleet keeps its data, and where its sockets lie while it lives."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

SOCKET_BYTES = 107
"""Longest path of a Unix socket on Linux, without the closing zero."""
_LONGEST_NAME = "clients.sock"


def data_folder(named: str | None) -> str:
    """The absolute data folder: `named`, else CROSSFLEET_DATA, else the user's own."""
    chosen = named or os.environ.get("CROSSFLEET_DATA")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    return os.path.join(_user_data(), "crossfleet")


def _user_data() -> str:
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Application Support")
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    named = os.environ.get("XDG_DATA_HOME", "")
    return named if os.path.isabs(named) else os.path.expanduser("~/.local/share")


def make_private(path: str, mark: str = "") -> None:
    """Makes a folder that only its owner can enter.

    One that is there and open to others is closed where it is empty or holds the file `mark`, so that it is known for
    ours. Raises OSError for any other: the environments of runs are kept in it, and nobody else may read them.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    if not mark or not os.stat(path).st_mode & 0o077:
        return
    names = os.listdir(path)
    if names and mark not in names:
        raise OSError(
            f"others can enter it, and it holds something else: name an empty folder, or, where all in it is only yours, "
            f"close it with `chmod 700 {path}`"
        )
    os.chmod(path, 0o700)


def runtime_parents() -> list[str]:
    """Folders in which a runtime folder may be made, best first."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    candidates = [named] if named and os.path.isdir(named) and os.access(named, os.W_OK) else []
    return [*candidates, "/tmp"]  # noqa: S108 - a private folder of random name is made inside


def make_runtime_folder(parents: list[str] | None = None) -> str:
    """A folder with mode 0700 and a name so short that every socket in it can be bound.

    Raises OSError when no parent is writable or all are too long.
    """
    for parent in parents or runtime_parents():
        path = os.path.join(parent, f"cf-{os.urandom(4).hex()}")
        if len(os.fsencode(os.path.join(path, _LONGEST_NAME))) > SOCKET_BYTES:
            continue
        try:
            os.mkdir(path, 0o700)
        except OSError:
            continue
        return path
    raise OSError("no folder for sockets: set XDG_RUNTIME_DIR to a writable folder with a path under 80 bytes")


def remove_runtime_folder(path: str) -> None:
    """Removes a runtime folder that `make_runtime_folder` made; what cannot be removed stays."""
    if not os.path.basename(path).startswith("cf-"):
        return
    for inside, folders, files in os.walk(path, topdown=False):
        for name in files:
            _quietly(os.unlink, os.path.join(inside, name))
        for name in folders:
            _quietly(os.rmdir, os.path.join(inside, name))
    _quietly(os.rmdir, path)


def _quietly(act: Callable[[str], None], path: str) -> None:
    try:
        act(path)
    except OSError:
        pass
