"""Starting the shim: a process of its own session, which outlives the agent."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from crossfleet.foundation.errors.execution import ShimUnreachable
from crossfleet.worker.orphans import end_orphans

_LOG_TAIL_BYTES = 4096


class ShimProcess:
    """The shim of one state folder, as far as this agent started it.

    It is exec'ed without a `preexec_fn`: nothing is forked beside gRPC's threads. It gets the lifeline of the agent
    (a file descriptor, or -1) and ends everything `grace` seconds after the last agent has gone.
    """

    def __init__(
        self, state: Path, *, version: str, lifeline_fd: int = -1, grace: float = 60.0, spares: int = 0
    ) -> None:
        """Nothing is started yet. `version` is that of the code, which the shim repeats to later agents.

        `spares`: interpreters that may wait for runs that probably come.
        """
        self._state = state
        self._version = version
        self._lifeline_fd = lifeline_fd
        self._grace = grace
        self._spares = spares
        self._child: subprocess.Popen[bytes] | None = None
        self._adopted = 0
        self.socket = state / "shim.sock"
        self.log = state / "shim.log"

    def ensure_started(self) -> None:
        """Start it unless the one that was started still comes up. Raises ShimUnreachable when that one has died."""
        if self._child is None:
            self._start()
            return
        status = self._child.poll()
        if status is not None:
            self._child = None
            raise ShimUnreachable(f"the shim ended with status {status} before it listened: {self._tail()}")

    def adopt(self, pid: int) -> None:
        """A shim that was not started here answered: it may be a child of this process's earlier self."""
        if self._child is None:
            self._adopted = pid

    async def reap(self, seconds: float) -> None:
        """Collect the exit status of the child, if there is one; it is killed when it outlives `seconds`."""
        if self._child is None:
            return
        try:
            await asyncio.to_thread(self._child.wait, seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            await asyncio.to_thread(self._child.wait)
        self._child = None

    def forget(self) -> None:
        """The shim has gone: collect its status and start a fresh one when asked next."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _start(self) -> None:
        if self._adopted:
            with suppress(ChildProcessError):
                os.waitpid(self._adopted, os.WNOHANG)
            self._adopted = 0
        end_orphans(self._state.parent / "allocations")
        command = [sys.executable, "-P", "-m", "crossfleet.worker.shim", "--state", str(self._state)]
        command += ["--grace", str(self._grace), "--version", self._version, "--spares", str(self._spares)]
        inherited: tuple[int, ...] = ()
        if self._lifeline_fd >= 0:
            command += ["--lifeline-fd", str(self._lifeline_fd)]
            inherited = (self._lifeline_fd,)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._state,
                pass_fds=inherited,
                start_new_session=True,
            )

    def _tail(self) -> str:
        try:
            content = self.log.read_bytes()
        except OSError:
            return "it left no log"
        return content[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip() or "it said nothing"
