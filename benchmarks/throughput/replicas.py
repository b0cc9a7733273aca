"""Coordinators that follow: what a leader has beside it in a fleet that survives its loss."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.environments import environment
from tests.real import etcd

FOLLOWERS = 2


@contextlib.contextmanager
def election() -> Iterator[str]:
    """Three etcd members for the time of the block; answers their endpoints."""
    with tempfile.TemporaryDirectory() as folder, etcd.running(Path(folder), nodes=3) as members:
        yield members.endpoints


@contextlib.contextmanager
def following(database: str, endpoints: str) -> Iterator[None]:
    """So many followers of whoever leads on that database."""
    with tempfile.TemporaryDirectory(prefix="cf-bench-") as folder, contextlib.ExitStack() as stack:
        for number in range(FOLLOWERS):
            place = Path(folder, str(number))
            place.mkdir()
            stack.enter_context(_follower(place, database, endpoints))
        yield


@contextlib.contextmanager
def _follower(place: Path, database: str, endpoints: str) -> Iterator[None]:
    flags = ("--data", str(place), "--listen", f"unix:{place}/s", "--database", database, "--etcd-endpoints", endpoints)
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "crossfleet.coordinator", *flags],
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
        )
    try:
        assert process.stdout is not None
        if b"ready" not in process.stdout.readline():
            raise RuntimeError(f"a follower did not start: {(place / 'log').read_text()}")
        yield
    finally:
        process.terminate()
        process.wait(30)
