"""The processes of a round: a fleet with its scheduler, and the simulated workers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.environments import environment
from benchmarks.fleet_load.workers import BUSY, FREE
from benchmarks.warm_fleet import WarmFleet

_END_SECONDS = 60


@contextlib.contextmanager
def fleet(pause: float) -> Iterator[WarmFleet]:
    """A fleet whose scheduler is the default one, behind a pause of so many seconds for each cycle where there is one."""
    with contextlib.ExitStack() as stack:
        scheduler = ""
        if pause:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cf-slow-"))
            behind, scheduler = f"unix:{folder}/behind.sock", f"unix:{folder}/slow.sock"
            stack.enter_context(_service("crossfleet.scheduler", "--listen", behind, "--log-level", "warning"))
            stack.enter_context(_service("benchmarks.fleet_load.slow_scheduler", scheduler, behind, str(pause)))
        yield stack.enter_context(WarmFleet(1, scheduler=scheduler))


@contextlib.contextmanager
def workers(fleet: WarmFleet, count: int, slots: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes of the simulated workers, all of them welcome: of those that are to be busy, and of a tenth that stays free.

    A worker is a process of its own: what comes to a free one must not wait for hundreds of busy ones.
    """
    free = max(count // 10, 1)
    module = "benchmarks.fleet_load.workers"
    with (
        _service(module, fleet.address, BUSY, str(count - free), str(slots)) as busy,
        _service(module, fleet.address, FREE, str(free), str(slots)) as idle,
    ):
        yield [busy, idle]


@contextlib.contextmanager
def _service(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has said that it is ready, until the block ends. Raises RuntimeError where it did not."""
    command = [sys.executable, "-m", module, *arguments]
    root = Path(__file__).parents[2]
    # Unbuffered: what follows the first line is read by a loop.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment(), cwd=root
    )
    assert process.stdout is not None
    try:
        if b"ready" not in process.stdout.readline():
            raise RuntimeError(f"{module} did not come up")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
