"""A trace as a file that can be read once for each scheduler."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def spooled(trace: str) -> Iterator[Path]:
    """The file of that path; standard input, named `-`, is kept in one until the block ends."""
    if trace != "-":
        yield Path(trace)
        return
    with tempfile.NamedTemporaryFile(prefix="cf-trace-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield Path(file.name)
