"""Asking detectors, each in a process of its own: one that hangs or crashes costs only its own devices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from tempfile import TemporaryFile
from typing import Any

from crossfleet.worker.detectors.detector import Found

GROUP = "crossfleet.detectors"
ANSWER_BYTES = 1024 * 1024
"""Of an answer, and of what is said beside it."""

# That a process which was killed is gone takes no time, unless a driver holds it up.
_KILL_SECONDS = 1.0
# Whoever writes without end has written so long before it is noticed.
_LOOK_SECONDS = 0.1


class Search:
    """Runs detectors one after the other, each for at most `seconds`.

    One that does not even end when it is killed, since its driver hangs, is left alone, and is not asked until it has ended.
    """

    def __init__(
        self, seconds: float, found: Callable[[], Sequence[EntryPoint]] | None = None, *, folder: str = ""
    ) -> None:
        """Without `found`: what the installed distributions declare. `folder`: where modules are looked for first."""
        self._seconds = seconds
        self._folder = folder
        self._found = found or (lambda: list(entry_points(group=GROUP)))
        self._hanging: dict[str, asyncio.Future[Any]] = {}

    async def all(self, *, without: frozenset[str]) -> dict[str, Sequence[Found] | str]:
        """For each detector that has something to look at, its devices, or why there is no answer."""
        answers: dict[str, Sequence[Found] | str] = {}
        for entry in await asyncio.to_thread(self._found):
            if entry.name not in without:
                answer = await self._ask(entry)
                if answer is not None:
                    answers[entry.name] = answer
        return answers

    async def _ask(self, entry: EntryPoint) -> Sequence[Found] | str | None:
        before = self._hanging.pop(entry.name, None)
        if before is not None and not before.done():
            self._hanging[entry.name] = before
            return "it has hung since an earlier look, and cannot be ended"
        present = _in_thread(entry.name, lambda: bool(entry.load()().present()))
        await asyncio.wait((present,), timeout=self._seconds)
        if not present.done():
            self._hanging[entry.name] = present
            return self._late
        answer = present.result()
        if isinstance(answer, str):
            return answer
        try:
            return await self._detect(entry) if answer else None
        except OSError as error:
            return f"it cannot be asked: {error}"

    async def _detect(self, entry: EntryPoint) -> Sequence[Found] | str:
        own = [] if self._folder else ["-P"]
        words = (sys.executable, *own, "-m", "crossfleet.worker.detectors", entry.value)
        # Files, since the end of a pipe would come when all that it has started has ended, too.
        with TemporaryFile() as out, TemporaryFile() as err:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=DEVNULL, stdout=out, stderr=err, cwd=self._folder or None, start_new_session=True
            )
            ended = asyncio.ensure_future(process.wait())
            try:
                refusal = await self._waited(ended, out.fileno(), err.fileno())
            finally:
                _kill(process)
                await asyncio.wait((ended,), timeout=_KILL_SECONDS)
                if not ended.done():
                    self._hanging[entry.name] = ended
            if refusal:
                return refusal
            out.seek(0)
            err.seek(0)
            return _answer(ended.result(), out.read(), err.read())

    async def _waited(self, ended: asyncio.Future[int], out: int, err: int) -> str:
        """Until it has ended, or has no more time or room; why it has not answered then, else empty."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        while True:
            await asyncio.wait((ended,), timeout=min(_LOOK_SECONDS, max(until - loop.time(), 0.0)))
            if os.fstat(out).st_size > ANSWER_BYTES:
                return f"its answer is longer than {ANSWER_BYTES} bytes"
            if os.fstat(err).st_size > ANSWER_BYTES:
                return f"what it says beside its answer is longer than {ANSWER_BYTES} bytes"
            if ended.done():
                return ""
            if loop.time() >= until:
                return self._late

    @property
    def _late(self) -> str:
        return f"no answer within {self._seconds:g} s"


def _answer(status: int, out: bytes, err: bytes) -> Sequence[Found] | str:
    if status:
        lines = err.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with status {status}"
    try:
        found: Any = json.loads(out)
    except (ValueError, RecursionError):
        return "its answer is not JSON"
    return found if isinstance(found, list) else "its answer is no list of devices"


def _kill(process: Process) -> None:
    """With what it has started, as far as that is in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _in_thread(name: str, call: Callable[[], bool]) -> asyncio.Future[bool | str]:
    """Its answer, or why there is none. The thread does not keep this process from ending, unlike those of an executor."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bool | str] = loop.create_future()

    def settle(answer: bool | str) -> None:
        if not future.done():
            future.set_result(answer)

    def work() -> None:
        try:
            answer: bool | str = call()
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything; an exit would end the thread without a word
            answer = f"it does not load: {type(error).__name__}: {error}"
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=work, daemon=True, name=name).start()
    return future
