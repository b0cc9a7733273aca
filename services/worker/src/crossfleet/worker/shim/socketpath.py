"""Sockets in folders whose path is longer than the kernel takes for the address of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 107
"""Bytes of the longest path: sockaddr_un holds 108 with the closing zero."""


@contextmanager
def addressable(path: Path) -> Iterator[str]:
    """An address of the socket at ``path``, within the block: by way of its folder, held open, where the path is too long."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
