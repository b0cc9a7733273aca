"""One run from submission to end, as the command that waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.reporting.stacks import inspected
from crossfleet.cli.running.follower import Follower
from crossfleet.cli.running.progress import Progress
from crossfleet.cli.running.view import View, longest
from crossfleet.cli.running.wishes import Wishes
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

REFRESH_SECONDS = 0.25
CANCEL_SECONDS = 15.0
STACKS_SECONDS = 3.0


class LeaveAtOnce(Exception):
    """Interrupted twice: the person does not want to wait for the end of the run."""


class Interrupts:
    """Counts Ctrl-C, SIGTERM and the end of the terminal. The first sets `asked`, the second `leave`."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.leave = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._terminals = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()]
        self._heeds_hangup = hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN  # nohup
        if self._heeds_hangup:
            self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._loop.add_signal_handler(number, self.interrupt)
            except NotImplementedError:  # Windows: its event loop learns of signals only in this way
                signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(self.interrupt))

    def interrupt(self) -> None:
        """Counts one."""
        (self.leave if self.asked.is_set() else self.asked).set()

    def _hang_up(self) -> None:
        """The terminal is gone: nothing can be written there any more, and nobody waits for the run."""
        with open(os.devnull, "wb") as nowhere:
            for terminal in self._terminals:
                os.dup2(nowhere.fileno(), terminal)
        self.interrupt()

    def close(self) -> None:
        """Gives the signals back."""
        if self._heeds_hangup:
            self._loop.remove_signal_handler(signal.SIGHUP)
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._loop.remove_signal_handler(number)
            except NotImplementedError:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


async def follow(
    client: Client,
    run: run_pb2.Run,
    cursor: str,
    view: View,
    interrupts: Interrupts,
    *,
    verbose: bool = False,
    pattern: str = "",
) -> run_pb2.Run:
    """Shows a run until it has ended and answers it, with the output of cases that match `pattern`. The first interrupt cancels it.

    Raises LeaveAtOnce at the second interrupt, or when the fleet does not end a cancelled run in time.
    """
    progress = Progress.of(run)
    heeding = (Follower(client, run.run_id, pattern, view), Wishes(client, run.spec, view))
    watching = asyncio.ensure_future(_watch(client, run.run_id, cursor, progress, view, heeding))
    cancelling = asyncio.ensure_future(_cancel_when_asked(client, run.run_id, progress, view, interrupts))
    leaving = asyncio.ensure_future(interrupts.leave.wait())
    shown = told = turns = 0
    try:
        while not watching.done():
            await asyncio.wait((watching, leaving), timeout=REFRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            view.update(progress)
            more = (*progress.deciders[told:], *progress.notes[shown:]) if verbose else ()
            for note in (*progress.turns[turns:], *more):
                view.note(note)
            shown, told, turns = len(progress.notes), len(progress.deciders), len(progress.turns)
            if leaving.done() or (cancelling.done() and not watching.done()):
                raise LeaveAtOnce
        watching.result()
        if not verbose and progress.notes and _ended_by_fleet(progress.run):
            view.note(progress.notes[-1])  # else nothing says why cases were not run
    finally:
        for task in (watching, cancelling, leaving):
            task.cancel()
        await asyncio.gather(watching, cancelling, leaving, return_exceptions=True)
    return progress.run if progress.run is not None else await client.runs.get(run.run_id)


def _ended_by_fleet(run: run_pb2.Run | None) -> bool:
    return run is not None and run.verdict == run_pb2.RUN_VERDICT_INFRASTRUCTURE


async def _watch(
    client: Client, run_id: str, cursor: str, progress: Progress, view: View, heeding: Sequence[Follower | Wishes]
) -> None:
    events = client.events.watch(after=cursor, run_id=run_id, until_finished=True, executing=True, tell=view.note)
    async for event in events:
        for case in progress.take(event):
            view.finished(case, progress.mark(case))
        for one in heeding:
            one.heed(event)
    for one in heeding:
        await one.finish()


async def _cancel_when_asked(
    client: Client, run_id: str, progress: Progress, view: View, interrupts: Interrupts
) -> None:
    """Ends only when a cancelled run has not ended in time."""
    await interrupts.asked.wait()
    view.note("stopping the run; interrupt again to leave at once")
    await _show_longest(client, run_id, progress, view)
    with suppress(CrossfleetError):
        await client.runs.cancel(run_id, "interrupted")
    await asyncio.sleep(CANCEL_SECONDS)


async def _show_longest(client: Client, run_id: str, progress: Progress, view: View) -> None:
    """Says where the case that has run longest is, before it is cancelled: it may be why somebody interrupts."""
    case = progress.longest()
    if case is None or not longest(progress, time.time()):
        return
    with suppress(CrossfleetError, TimeoutError):
        async with asyncio.timeout(STACKS_SECONDS):
            found = await client.inspection.cases(run_id, target=case.target, case_id=case.case_id, stacks=True, most=1)
        for text in map(inspected, found.cases):
            view.note(text)
