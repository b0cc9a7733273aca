"""Environments built from requirements by uv, once a host, shared by its workers."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from crossfleet.foundation.errors.execution import EnvironmentFailed
from crossfleet.foundation.errors.installation import RequirementMissing

_TAIL_LINES = 40


class EnvironmentCache:
    """One folder for each digest of (requirements, interpreter, platform).

    A build happens beside its place and is renamed into it, so that what is there is whole; a lock file makes the
    workers of a host wait for one build instead of making it twice.
    """

    def __init__(self, folder: Path, *, seconds: float) -> None:
        """`seconds` limits one build."""
        self._folder = folder
        self._seconds = seconds

    def get(self, requirements: str, interpreter: str, say: Callable[[str], None]) -> Path:
        """The folder of the environment; built first where it is not there. Blocks: call it from a thread.

        `interpreter` is a version such as `3.12`, or the path of a Python. Raises EnvironmentFailed with the end of
        what uv printed, RequirementMissing when there is no uv.
        """
        name = digest(requirements, interpreter)
        ready = self._folder / name
        if ready.is_dir():
            os.utime(ready)
            return ready
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / f"{name}.lock"):
            if not ready.is_dir():
                self._build(ready, requirements, interpreter, say)
        return ready

    def _build(self, ready: Path, requirements: str, interpreter: str, say: Callable[[str], None]) -> None:
        beside = ready.with_name(f"{ready.name}.building")
        shutil.rmtree(beside, ignore_errors=True)
        listing = ready.with_name(f"{ready.name}.txt")
        listing.write_text(requirements)
        uv = find_uv()
        python = beside / "bin" / "python"
        say(f"building the environment {ready.name[:12]} for Python {interpreter}")
        try:
            self._run([uv, "venv", "--quiet", "--relocatable", "--python", interpreter, str(beside)], say)
            self._run([uv, "pip", "install", "--python", str(python), "--requirement", str(listing)], say)
            beside.rename(ready)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _run(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        late = threading.Event()
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        # Popen without preexec_fn uses vfork and exec: safe beside gRPC's threads.
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as child:

            def end() -> None:
                late.set()
                child.kill()

            timer = threading.Timer(self._seconds, end)
            timer.start()
            try:
                for line in child.stdout or ():
                    say(line.rstrip("\n"))
                    tail.append(line)
                status = child.wait()
            finally:
                timer.cancel()
        what = f"uv {command[1]}"
        if late.is_set():
            raise EnvironmentFailed(f"{what} took longer than {self._seconds:.0f} s", stage="build")
        if status:
            raise EnvironmentFailed(f"{what} ended with status {status}:\n{''.join(tail)}", stage="build")


def digest(requirements: str, interpreter: str) -> str:
    """What makes two environments the same: SHA-256, hexadecimal."""
    own = interpreter == sys.executable
    parts = (
        requirements,
        f"{os.path.realpath(interpreter)} {sys.version}" if own else interpreter,
        platform.platform(),
        platform.machine(),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def find_uv() -> str:
    """The uv program: of its wheel beside this Python, else from PATH. Raises RequirementMissing."""
    with contextlib.suppress(ImportError, FileNotFoundError):
        from uv import find_uv_bin

        return str(find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise RequirementMissing(
            "environments from requirements are built by uv, which is not installed on this worker",
            name="uv",
            hint="pip install uv, into the worker's environment or on its PATH",
        )
    return found


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
