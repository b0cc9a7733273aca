"""Starts the suite's interpreter for an allocation: as its zygote, or as a slot that collects for itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from crossfleet.worker.shim.host import Message

ENTRY = Path(__file__).resolve().parent.parent / "inside" / "pytest_zygote.py"
ALLOCATION_TOKEN = "CROSSFLEET_ALLOCATION_TOKEN"  # noqa: S105 - the name of a variable

umask_of_children = -1
"""The umask that suites and commands get: the one with which the shim was started. -1: the shim's own."""


class Spawned:
    """A process that was started: its pid, the read ends of its stdout and stderr, the write end of its stdin or -1."""

    __slots__ = ("input", "outputs", "pid")

    def __init__(self, pid: int, outputs: list[int], input: int = -1) -> None:
        self.pid = pid
        self.outputs = outputs
        self.input = input


def spawn(argv: list[str], cwd: str, env: dict[str, str], *, merged: bool = False, fed: bool = False) -> Spawned:
    """Start a program in a session of its own, with nothing on stdin and a pipe on each output.

    ``merged``: one pipe for both outputs; ``fed``: a pipe on stdin too, which never blocks us.

    Raises OSError or ValueError when it cannot be started (no such program or folder, not executable, a NUL).
    """
    outputs: list[int] = []
    writers: list[int] = []
    try:
        for _ in range(1 if merged else 2):
            reader, writer = os.pipe()
            outputs.append(reader)
            writers.append(writer)
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            stdout=writers[0],
            stderr=writers[-1],
            start_new_session=True,
            umask=umask_of_children,
        )
    except (OSError, ValueError):
        for descriptor in outputs:
            os.close(descriptor)
        raise
    finally:
        for descriptor in writers:
            os.close(descriptor)
    # The reaper, not this object, learns how it ends.
    process.returncode = 0
    if process.stdin is None:
        return Spawned(process.pid, outputs)
    descriptor = os.dup(process.stdin.fileno())
    process.stdin.close()
    os.set_blocking(descriptor, False)
    return Spawned(process.pid, outputs, descriptor)


def spawn_pytest(order: Message, runner_socket: Path, token: str, env: dict[str, str], *early: str) -> Spawned:
    """Start the interpreter of an "open" order as zygote (or lone slot) that says hello with ``token``.

    ``early``: how it is to import pytest before it is told what to run, see ``inside/ahead.py``.
    """
    return spawn([str(order["python"]), str(ENTRY), str(runner_socket), token, *early], str(order["cwd"]), env)
