"""A slot of a program: executes batches of cases in processes, and says whom a process's end speaks of."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from crossfleet.worker.shim.admission import Admission
from crossfleet.worker.shim.attempt import Attempt
from crossfleet.worker.shim.caselines import GOOD, bad_end, death, result_line
from crossfleet.worker.shim.casewatch import CaseWatch
from crossfleet.worker.shim.cores import core_hint
from crossfleet.worker.shim.death import out_of_memory
from crossfleet.worker.shim.errand import Errand
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.life import Life
from crossfleet.worker.shim.programs.program import Batch, Ended, Event, Program, Reader, Waiting

MAXIMUM_ADDED = 100_000
"""Cases that one process may add to those that were listed."""


class ProgramSlot:
    """Takes attempts in their order. After a crash the rest of an attempt goes on in a new process."""

    def __init__(self, host: Host, order: Message, spec: Message, admission: Admission) -> None:
        self._host = host
        self._order = order
        self._admission = admission
        self._limits: Message = order.get("limits") or {}
        self._grace = float(self._limits.get("grace_seconds") or 5)
        self._output_bytes = int(self._limits.get("output_bytes") or 65536)
        self.number = int(spec["slot"])
        self._env: dict[str, str] = {**order["env"], **(spec.get("env") or {})}
        self._memory_bytes = int(spec.get("memory_bytes") or 0)
        self.on_idle: Callable[[], None] = _nothing
        self._program: Program | None = None
        self._ids: list[str] = []
        self._index: dict[str, int] = {}
        self._attempts: deque[Attempt] = deque()
        self._errand: Errand | None = None
        self._batch: Batch | None = None
        self._open: dict[str, None] = {}
        self._waiting = False
        self._unheard = False
        """Cases were handed to a process that waited, and it has said nothing since: should it end, they are not to blame."""
        self._alone = False
        self._failed = 0
        self._added = 0
        self._case = -1
        self._born = 0.0
        self._unreadable = ""
        self._watch = CaseWatch(host.loop, "", self._late, self._tell_started)

    def know(self, program: Program, ids: list[str]) -> None:
        """These are the cases, by index."""
        self._program = program
        self._ids = ids
        self._index = {identity: index for index, identity in enumerate(ids)}

    @property
    def alive(self) -> bool:
        """True while a process runs here."""
        return self._errand is not None or self._admission.judging

    @property
    def _solo(self) -> bool:
        """Whether each case gets a process for itself."""
        return self._alone or self._admission.gated

    def describe(self) -> Message:
        """Return this slot as the agent sees it when it attaches."""
        current = self._index.get(self._watch.current)
        since = round(time.time() - self._watch.running(self._watch.current), 6)
        attempts = [
            {
                "attempt": attempt.number,
                "pending": list(attempt.pending),
                "current": current if attempt.started else None,
                "since": since,
            }
            for attempt in self._attempts
        ]
        return {"slot": self.number, "attempts": attempts, "wanting": False}

    def inspect(self, order: Message, answer: Message) -> bool:
        """As a slot of pytest's does; what a program prints is in the run's log at once."""
        attempt, errand = self._attempts[0] if self._attempts else None, self._errand
        case = self._index.get(self._watch.current)
        if attempt is None or errand is None or case is None or attempt.number != answer["attempt"]:
            return False
        answer["case"] = case
        answer["seconds"] = round(self._watch.running(self._watch.current), 3)
        errand.life.tell_stacks(answer, wanted=bool(order.get("stacks")))
        return True

    def run(self, message: Message) -> None:
        """Take an attempt; it starts when the one before it has ended."""
        cases = [int(case) for case in message["cases"]]
        self._attempts.append(Attempt(int(message["attempt"]), cases, message.get("case_seconds") or {}))
        if not message.get("last"):
            self._host.tell({"op": "want", "allocation": self._order["allocation"], "slot": self.number})
        if self._errand is None or self._waiting:
            self._proceed()

    def last(self) -> None:
        """Nothing follows; nothing is held back here, so there is nothing to do."""

    def cancel(self, number: int, grace: float) -> None:
        """End an attempt without results for what it has not finished. Unknown attempts are ignored."""
        for attempt in [a for a in self._attempts if a.number == number]:
            attempt.cancelled = True
            if attempt.started and self._errand is not None:
                self._errand.life.interrupt(grace)
            else:
                self._attempts.remove(attempt)
                self._host.record(attempt.finished("cancelled", "", 0))
                if self._errand is None and self._admission.busy and not self._admission.judging:
                    self._admission.withdraw()
                    self._proceed()

    def forget(self) -> None:
        """Drop what waits here without a word: the coordinator ends it with the whole allocation."""
        self._admission.withdraw()
        self._attempts.clear()

    def close(self, grace: float) -> None:
        """Cancel everything; `on_idle` is called when the process has ended, where there is one."""
        for attempt in list(self._attempts):
            self.cancel(attempt.number, grace)
        if self._errand is not None and not self._attempts:
            self._errand.close_input()
            self._errand.life.wind_up(grace)

    def abandon(self, cause: str, message: str) -> None:
        """The allocation has ended: what waits here ends with `cause`."""
        while self._attempts:
            self._host.record(self._attempts.popleft().finished(cause, message, 0))

    def _proceed(self) -> None:
        """Go on with what the first attempt has left, or with the one after it, in a process that waits or a new one."""
        while self._attempts and (self._errand is None or self._waiting):
            if self._admission.busy or (self._admission.gated and self._errand is not None):
                return  # what its last process showed is not judged yet
            attempt = self._attempts[0]
            if attempt.cancelled and self._errand is not None:
                return  # its process is being ended
            if not attempt.pending:
                self._finish(attempt, "done", "")
            elif self._errand is None:
                self._admission.admit((attempt.number, attempt.pending[0]), partial(self._begin, attempt))
            elif not self._feed(attempt, self._errand):
                return  # that process ends by itself
        if self._errand is None:
            self.on_idle()

    def _begin(self, attempt: Attempt) -> None:
        """Start a process for what is left of the attempt."""
        errand = Errand(self._host, self._memory_bytes, self._log, self._hear, self._ended)
        self._failed = self._added = 0
        self._case = attempt.pending[0]
        self._born = time.time()
        self._unreadable = ""
        self._watch.begin()
        try:
            wanted = self._wanted(attempt)
            if self._program is None or not wanted:
                raise ValueError("these cases were never listed here")
            self._batch = self._program.batch(wanted[:1] if self._solo else wanted, errand.results)
            if not self._batch.ids:
                raise ValueError("the runner's batch holds no case")
            errand.start(self._batch.command, str(self._order["cwd"]), self._env, fed=self._batch.more is not None)
            if self._solo:
                errand.close_input()
        except Exception as error:  # the system's, or a plugin's
            errand.dispose()
            self._finish(attempt, "environment", f"cannot start a process in {self._order['cwd']}: {error}")
            return
        self._errand = errand
        self._take_up(attempt, self._batch.ids)

    def _feed(self, attempt: Attempt, errand: Errand) -> bool:
        """Give the process that waits its next cases. False where it takes none."""
        if self._batch is None or self._batch.more is None or self._solo:
            return False
        text, ids = self._batch.more(self._wanted(attempt))
        if not ids or not errand.feed(text):
            return False
        self._take_up(attempt, ids)
        self._unheard = True
        return True

    def _take_up(self, attempt: Attempt, ids: Iterable[str]) -> None:
        attempt.started = True
        self._waiting = self._unheard = False
        self._open = dict.fromkeys(ids)
        self._watch.between(self._limits_left())

    def _wanted(self, attempt: Attempt) -> list[str]:
        return [self._ids[case] for case in attempt.pending if 0 <= case < len(self._ids)]

    def _finish(self, attempt: Attempt, cause: str, message: str) -> None:
        watched = self._errand.life.watched if self._errand is not None else None
        self._alone = False
        self._attempts.remove(attempt)
        self._host.record(attempt.finished(cause, message, watched.peak if watched is not None else 0))

    def _log(self, stream: str, data: str) -> None:
        self._host.log(self._order["allocation"], self.number, stream, data)

    def _hear(self, stream: str, text: str) -> None:
        if self._unreadable:
            return
        self._heed(lambda reader: reader.take(stream, text))
        if self._waiting:
            self._watch.stop()
            for identity in list(self._open):
                text = "the process has done with its cases and did not name this one"
                self._settle(Ended(identity, "error", 0.0, text, text))
            self._proceed()

    def _heed(self, read: Callable[[Reader], Iterable[Event]]) -> None:
        """Do what the reader makes of it. One that fails is asked no more, and its process ended."""
        if self._batch is None:
            return
        try:
            for event in read(self._batch.reader):
                self._happened(event)
        except Exception as error:  # of a reader: the program said something unheard of
            self._unreadable = f"its results cannot be read: {type(error).__name__}: {error}"
            if self._errand is not None:
                self._errand.life.kill()

    def _happened(self, event: Event) -> None:
        self._unheard = False
        if isinstance(event, Waiting):
            self._waiting = True
        elif isinstance(event, Ended):
            self._settle(event)
            if event.id == self._watch.current:
                self._watch.between(self._limits_left())
        elif event.id in self._open:
            self._watch.started(event.id, self._limit_of(event.id))

    def _settle(self, ended: Ended) -> None:
        """Record a result: of a case of this batch, or of one that showed during execution. Raises ValueError."""
        index = self._index.get(ended.id)
        if not self._attempts or not ended.id or (index is not None and ended.id not in self._open):
            return
        attempt = self._attempts[0]
        self._added += index is None
        if self._added > MAXIMUM_ADDED:
            return
        seconds = ended.seconds if ended.seconds is not None else self._watch.running(ended.id)
        line = result_line(attempt.number, index, ended, seconds, self._output_bytes)
        if not self._admission.keep(line):
            self._host.record(line)
        self._failed += ended.outcome not in GOOD
        if index is not None:
            del self._open[ended.id]
            attempt.done(index)

    def _limit_of(self, identity: str) -> float:
        limits = self._attempts[0].limits if self._attempts else {}
        return float(limits.get(str(self._index[identity]), 0) or self._limits.get("case_seconds") or 0)

    def _limits_left(self) -> list[float]:
        """Of each case that is open; where none is, the end of the process has as much as a case."""
        rest = float(self._limits.get("case_seconds") or 0)
        return [self._limit_of(identity) for identity in self._open] or [rest]

    def _late(self) -> None:
        if self._errand is not None:
            self._errand.life.time_out(self._grace)

    def _tell_started(self, identity: str, at: float) -> None:
        if self._attempts:
            attempt, case = self._attempts[0].number, self._index[identity]
            self._host.tell({"op": "started", "attempt": attempt, "case": case, "at": round(at, 6)})

    def _ended(self, code: int) -> None:
        """Draw the consequences of the process's end; then go on with what is left."""
        errand, batch = self._errand, self._batch
        if errand is None or batch is None:
            return
        attempt = self._attempts[0] if self._attempts else None
        try:
            if self._attempts and self._attempts[0].started:
                self._judge(errand.life, batch, code)
        finally:
            self._watch.stop()
            errand.dispose()
            self._errand = self._batch = None
            self._open, self._waiting = {}, False
        self._admission.judge(lambda results: self._judged(attempt, results))

    def _judged(self, attempt: Attempt | None, results: list[Message] | None) -> None:
        """What the process showed counts, or its case is to be executed again."""
        if attempt is not None and attempt in self._attempts:
            if results is None and self._case not in attempt.pending:
                attempt.pending.appendleft(self._case)
            for result in results or ():
                self._host.record(result)
        self._proceed()

    def _judge(self, life: Life, batch: Batch, code: int) -> None:
        attempt = self._attempts[0]
        if attempt.cancelled:
            self._finish(attempt, "cancelled", "")
            return
        if life.starved(code):
            self._finish(attempt, "out_of_memory", "the host had no memory left, and its kernel killed the process")
            return
        if life.over_memory and self._open:
            self._judge_memory(life, batch, code)
            return
        if not self._unreadable:
            self._heed(lambda reader: reader.end(code))
        left = list(self._open)
        late = self._watch.timed_out is not None and self._watch.timed_out[0]
        if self._unreadable:
            for identity in left:
                self._settle(Ended(identity, "error", None, self._unreadable, self._unreadable, life.tails()))
        elif left:
            if not self._unheard:
                self._blame(life, batch, code, left)
        elif code not in (self._program.fine_codes if self._program else ()) and not self._failed and not late:
            program = str(batch.command.argv[0]).rpartition("/")[2]
            sections = [(f"{stream} (end)", tail) for stream, tail in life.tails()]
            self._settle(bad_end(program, code, batch.ids[0], sections))

    def _judge_memory(self, life: Life, batch: Batch, code: int) -> None:
        """The process used more than the run allows: a case that had it for itself is to blame, others are tried alone."""
        if not self._solo and len(batch.ids) > 1:
            self._alone = True
            return
        message = f"{out_of_memory(self._memory_bytes, life.over_memory)}, in a process of its own"
        sections = [(f"Captured {name} before the end", text) for name, text in life.tails()]
        self._settle(Ended(next(iter(self._open)), "crashed", None, message, message, sections, signal=max(-code, 0)))

    def _blame(self, life: Life, batch: Batch, code: int, left: list[str]) -> None:
        """Cases have no result: the one that was executed is to blame; where nobody knows it, each is tried alone."""
        culprit, timed_out = self._watch.current, self._watch.timed_out
        if timed_out is not None and timed_out[0] and timed_out[0] != culprit:
            return  # the slow case did end, but too late to stop the signal, which has hit an innocent one
        if not culprit and not self._solo and (len(left) > 1 or len(batch.ids) > 1):
            self._alone = True
            return
        sections = [part for part in batch.reader.said() if part[1]] or [
            (f"Captured {name} before the end", text) for name, text in life.tails()
        ]
        limit = timed_out[1] if timed_out is not None else 0.0
        known, notes = bool(culprit), self._notes(life, batch)
        self._settle(death(culprit or left[0], code, known=known, limit=limit, notes=notes, sections=sections))

    def _notes(self, life: Life, batch: Batch) -> list[str]:
        """What tells why a process died: the command for a core's backtrace, stacks that were taken."""
        hint = ""
        if self._host.reaper.dumped_core(life.pid):
            hint = core_hint(life.pid, str(batch.command.argv[0]), str(self._order["cwd"]), self._born)
        return [text for text in (f"backtrace of the core: {hint}" if hint else "", life.stacks()) if text]


def _nothing() -> None:
    return None
