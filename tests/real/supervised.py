"""A process that is kept alive as a service manager would: what dies is started again soon."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from crossfleet.foundation.wait import eventually

END_SECONDS = 15.0


class Supervised:
    """One service. `pause` says after how many seconds it is started again; its output goes to `log`."""

    def __init__(self, name: str, command: Sequence[str], log: Path, pause: Callable[[], float]) -> None:
        """Nothing runs before `start`."""
        self.name = name
        self._log = log
        self._command = command
        self._pause = pause
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @classmethod
    def service(cls, name: str, kind: str, flags: Sequence[str], log: Path, pause: Callable[[], float]) -> Supervised:
        """One of crossfleet's own. Where there is setpriv, it dies with the tests, also when these are killed."""
        with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        return cls(name, [*with_us, sys.executable, "-m", f"crossfleet.{kind}", *flags], log, pause)

    @property
    def pid(self) -> int:
        """Of the process that lives; 0 between two."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    def start(self) -> None:
        """Begin, and keep it alive from now on."""
        self._keeping = asyncio.ensure_future(self._keep())

    async def living(self) -> int:
        """Wait until it lives; answers its process id."""
        return await eventually(lambda: self.pid, deadline=40, what=f"{self.name} is started again")

    def signal(self, number: int) -> None:
        """To the process, if it lives."""
        if self.pid and self._process is not None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """Ask it to end and let it rest; killed when it takes longer than END_SECONDS."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), END_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _keep(self) -> None:
        while True:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | {"GRPC_VERBOSITY": "ERROR"},
                )
            await self._process.wait()
            await asyncio.sleep(self._pause())
