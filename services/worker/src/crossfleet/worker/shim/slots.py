"""A slot of a pytest allocation: which attempts it has, which case is in flight, what its process's end means."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from crossfleet.worker.shim.agenda import Agenda
from crossfleet.worker.shim.attempt import Attempt
from crossfleet.worker.shim.brake import Brake
from crossfleet.worker.shim.casewatch import CaseWatch
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.judgement import Case, End, Judge, Judgement, late
from crossfleet.worker.shim.life import LATE, Life

_STILLBORN_LIMIT = 3


class Slot:
    """Keeps one slot's process fed and draws results from its end.

    ``start(life)`` makes a process for a life; ``idle()`` is told each time that a process has ended and none follows.
    """

    def __init__(
        self,
        host: Host,
        allocation: str,
        spec: Message,
        order: Message,
        start: Callable[[Life], None],
        brake: Brake,
    ) -> None:
        self._host = host
        self._allocation = allocation
        self._limits: Message = order.get("limits") or {}
        self._start = start
        self._brake = brake
        self.number = int(spec["slot"])
        self.run_number = int(spec.get("number", self.number))
        self.env: dict[str, str] = dict(spec.get("env") or {})
        self.failed = 0
        self.deaths: list[tuple[int, str]] = []
        self.process = 0
        self.on_idle: Callable[[], None] = _nothing
        self._memory_bytes = int(spec.get("memory_bytes") or 0)
        self._judging = Judge(host, order, self._memory_bytes)
        self._agenda = Agenda(host)
        self._life: Life | None = None
        self._closing = False
        self._stillborn = 0
        self._goodbye: Message = {}
        self._watch: CaseWatch[Case | None] = CaseWatch(
            host.loop, None, self._over_limit, self._tell_started, self._exit_overdue
        )
        self._dropped: set[int] = set()
        self._preempted = False

    @property
    def alive(self) -> bool:
        """True while a process of this slot exists or is being made."""
        return self._life is not None

    def has(self, life: Life) -> bool:
        """True when ``life`` is this slot's present process."""
        return self._life is life

    def take_note(self, line: bytes) -> None:
        """Take what a process that collects for itself says before it is a slot: why it cannot become one."""
        message = json.loads(line)
        if message.get("op") == "mismatch":
            self._goodbye = message
            self._stillborn = _STILLBORN_LIMIT

    def describe(self) -> Message:
        """Return this slot as the agent sees it when it attaches."""
        agenda = self._agenda
        waiting = [(int(one["attempt"]), list(one.get("cases", ()))) for one in agenda.waiting]
        return {
            "slot": self.number,
            "attempts": [self._describe(attempt) for attempt in agenda.attempts]
            + [{"attempt": number, "pending": cases, "current": None} for number, cases in waiting],
            "wanting": agenda.asked and not agenda.last and bool(agenda.attempts),
        }

    def _describe(self, attempt: Attempt) -> Message:
        found: Message = {"attempt": attempt.number, "pending": list(attempt.pending), "current": None}
        current = self._watch.current
        if current is not None and current[0] == attempt.number:
            found["current"] = current[1]
            found["since"] = round(time.time() - self._watch.running(current), 6)
        return found

    def inspect(self, order: Message, answer: Message) -> bool:
        """Fill ``answer`` with what the attempt it names is executing, and send it. False: it executes nothing here."""
        current, life = self._watch.current, self._life
        if current is None or life is None or current[0] != answer["attempt"]:
            return False
        answer["case"] = current[1]
        answer["seconds"] = round(self._watch.running(current), 3)
        places = order.get("places")
        if places is not None:
            answer["output"] = life.captured.printed(places)
        life.tell_stacks(answer, wanted=bool(order.get("stacks")))
        return True

    def run(self, message: Message) -> None:
        """Take an attempt. After "last" it waits for the next process of this slot."""
        if self._agenda.last and not self._preempted:
            self._agenda.let_wait(message)
            return
        cases = [int(case) for case in message["cases"]]
        attempt = Attempt(int(message["attempt"]), cases, message.get("case_seconds") or {})
        if not cases or self._preempted:
            self._host.record(attempt.finished("preempted" if cases else "done", "", 0))
            return
        self._agenda.add(attempt, last=bool(message.get("last")))
        self._watch.watch_exit(wanted=False)
        if self._life is None:
            self._begin_life()
        elif self._life.ready:
            self._push(attempt)
        self._ask()

    def last(self) -> None:
        """Nothing follows what was sent so far."""
        agenda = self._agenda
        if agenda.waiting:
            agenda.let_wait({"op": "last"})
        elif not agenda.last:
            agenda.last = self._life is not None or bool(agenda.attempts)
            if self._life is not None and self._life.ready and all(attempt.sent for attempt in agenda.attempts):
                self._life.send(b'{"op": "last"}\n')
                self._watch.watch_exit(wanted=not agenda.attempts)

    def cancel(self, number: int, grace: float) -> None:
        """End an attempt without results for what it has not finished. Unknown attempts are ignored."""
        self._agenda.end_waiting("cancelled", number=number)
        for attempt in [one for one in self._agenda.attempts if one.number == number]:
            attempt.cancelled = True
            if self._watch.current is not None and self._watch.current[0] == number:
                if self._life is not None:
                    self._life.interrupt(grace)
                continue
            self._withdraw(attempt, "cancelled")
        self._ask()

    def _withdraw(self, attempt: Attempt, cause: str) -> None:
        """End an attempt of which nothing is in flight."""
        if attempt.sent and self._life is not None:
            self._dropped.add(attempt.number)
            self._life.send(b'{"op": "drop", "attempt": %d}\n' % attempt.number)
        self._agenda.end(attempt, cause)

    def preempt(self, seconds: float) -> None:
        """Begin nothing more. The case in flight is told that it has so long; should it not pass until then, it has shown nothing.

        A process that says no word of a case may have begun one all the same: it is told too, and says so where it has not.
        """
        if self._preempted or self._closing:
            return
        self._preempted = True
        for message in (one for one in self._agenda.take_waiting() if one["op"] == "run"):
            self.run(message)
        attempts, running = self._agenda.attempts, self._watch.current
        sent = [one.number for one in attempts if one.sent]
        current = running[0] if running is not None else next(iter(sent), None)
        for attempt in [one for one in attempts if one.number != current]:
            self._withdraw(attempt, "preempted")
        if attempts and self._life is not None:
            self._life.warn(seconds)

    def close(self, grace: float) -> None:
        """Cancel everything and end the process; ``on_idle`` follows, at once when there is none."""
        self._closing = True
        self._agenda.end_waiting("cancelled")
        for number in [one.number for one in self._agenda.attempts]:
            self.cancel(number, grace)
        if self._life is None:
            self.on_idle()
        elif not self._life.pid:
            self._life.dispose()
            self._life = None
            self.on_idle()
        elif self._watch.current is None or self._life.ending is None:
            self._agenda.last = True
            if self._life.ending is None:
                self._life.wind_up(grace)

    def give_back(self, grace: float) -> None:
        """As ``close``, while the allocation goes on: a process that is being made is waited for, and ended at its hello."""
        if self._life is not None and not self._life.pid:
            self._closing = True
        else:
            self.close(grace)

    def abandon(self, cause: str, message: str) -> None:
        """The allocation has failed: everything that waits here ends with ``cause``."""
        self._closing = True
        if self._life is not None:
            self._life.kill()
            if not self._life.pid:
                self._life.dispose()
                self._life = None
        self._agenda.end_all(cause, message)
        self._agenda.end_waiting(cause, message)
        self._agenda.take_waiting()

    def stillborn(self, message: str) -> None:
        """The process could not be made. Its attempts end as a fault of the environment."""
        if self._life is not None:
            self._life.dispose()
            self._life = None
        self._watch.pause(None)
        self._agenda.end_all("environment", message)
        self._succeed()

    def _begin_life(self) -> None:
        self._goodbye = {}
        self._watch.begin()
        self._dropped.clear()
        self.process += 1
        for attempt in self._agenda.attempts:
            attempt.sent = False
        life = Life(self._host, self._memory_bytes, self._log)
        life.number = self.process
        life.on_ready = self._ready
        life.on_line = self._line
        life.on_end = self._ended
        self._life = life
        self._start(life)

    def hold(self) -> None:
        """Let the process begin no further case."""
        if self._life is not None and self._life.ready:
            self._life.send(b'{"op": "hold"}\n')

    def go_on(self) -> None:
        """Let the process go on after a failure, or after ``hold``."""
        if self._life is not None and self._life.ready:
            self._life.send(b'{"op": "go"}\n')

    def _ready(self) -> None:
        if self._brake.on:
            self.hold()
        for attempt in list(self._agenda.attempts):
            self._push(attempt)
        if self._closing and self._life is not None:
            self._life.kill()

    def _push(self, attempt: Attempt) -> None:
        if self._life is None or attempt.sent:
            return
        attempt.sent = True
        last = self._agenda.last and attempt is self._agenda.attempts[-1]
        message = {"op": "run", "attempt": attempt.number, "cases": list(attempt.pending), "last": last}
        self._life.send(json.dumps(message).encode("ascii") + b"\n")

    def _ask(self) -> None:
        """Want what follows before the slot runs dry."""
        if not self._closing and self._agenda.runs_dry():
            self._host.tell({"op": "want", "allocation": self._allocation, "slot": self.number})

    def _log(self, stream: str, data: str) -> None:
        self._host.log(self._allocation, self.number, stream, data)

    def _line(self, line: bytes) -> None:
        """Take one line of the process. Results come as ``R<attempt> <case> <failed> <next>\\t<JSON>``: not parsed."""
        try:
            self._take(line)
        except ValueError:
            # Not ours: a case has written to a descriptor that it did not open. What it says cannot be trusted.
            if self._life is not None:
                self._life.kill()

    def _take(self, line: bytes) -> None:
        kind = line[:1]
        if kind == b"R":
            head, _, payload = line.partition(b"\t")
            fields = head[1:].split(b" ")
            following = (int(fields[3]), int(fields[4])) if len(fields) == 5 else None
            self._result(int(fields[0]), int(fields[1]), fields[2] == b"1", payload, following)
        elif kind == b"S":
            number, _, case = line[1:].partition(b" ")
            self._move_to((int(number), int(case)))
        elif kind == b"H":
            self._move_to(None)
            for attempt in list(self._agenda.attempts) if self._preempted else ():
                self._withdraw(attempt, "preempted")
        elif kind == b"{":
            try:
                message = json.loads(line)
            except ValueError:
                return  # an interrupt tore it; the exit code will do
            if message.get("op") == "keeper":
                self._host.keep(int(message["pid"]))
            else:
                self._goodbye = message

    def _result(self, number: int, case: int, failed: bool, payload: bytes, following: Case | None) -> None:
        attempt = self._agenda.find(number)
        if self._watch.timed_out is not None and self._life is not None and self._life.forgive():
            self._watch.timed_out = None
        self._stillborn = 0
        if self._life is not None:
            self._life.results += 1
        if attempt is not None:
            self._host.record_raw(payload)
            self.failed += failed
            if failed:
                self._brake.failed(self)
            attempt.done(case)
            if not attempt.pending:
                self._finish(attempt, "done", "")
                self._watch.watch_exit(wanted=self._agenda.last and not self._agenda.attempts)
            elif self._preempted:
                self._withdraw(attempt, "preempted")
        elif failed:
            self.go_on()
        self._move_to(following)
        self._ask()

    def _finish(self, attempt: Attempt, cause: str, message: str, **extra: object) -> None:
        watched = self._life.watched if self._life is not None else None
        self._agenda.end(attempt, cause, message, watched.measured() if watched else 0, **extra)
        if watched is not None:
            watched.begin()

    def _move_to(self, current: Case | None) -> None:
        attempt = self._agenda.find(current[0]) if current is not None else None
        if current is None or attempt is None:
            self._watch.pause(current)
            if current is not None and current[0] in self._dropped and self._life is not None:
                self._life.interrupt(float(self._limits.get("grace_seconds") or 5))
            return
        if not attempt.started:
            attempt.started = True
            attempt.began = self._host.loop.now
        limit = attempt.limits.get(str(current[1]), 0) or self._limits.get("case_seconds") or 0
        self._watch.started(current, float(limit))

    def _over_limit(self) -> None:
        if self._life is not None and self._life.ending is None:
            self._life.time_out(float(self._limits.get("grace_seconds") or 5))
        else:
            self._watch.timed_out = None

    def _exit_overdue(self) -> None:
        if self._life is not None:
            self._life.time_out(float(self._limits.get("grace_seconds") or 5), LATE)

    def _tell_started(self, case: Case | None, at: float) -> None:
        if case is not None:
            self._host.tell({"op": "started", "attempt": case[0], "case": case[1], "at": round(at, 6)})

    def _ended(self, code: int) -> None:
        """Draw the consequences of the process's end; then start another when attempts are left."""
        life = self._life
        if life is None:
            return
        try:
            self._judge(life, code)
        finally:
            self._watch.stop()
            life.dispose()
            self._life = None
            self._watch.pause(None)
        self._succeed()

    def _judge(self, life: Life, code: int) -> None:
        current = self._watch.current
        overdue, limit = self._watch.timed_out or (None, 0.0)
        end = End(life, code, current, self._watch.running(current), overdue, limit, self._goodbye)
        attempts = self._agenda.attempts
        attempt = self._agenda.find(current[0]) if current is not None else None
        if attempt is None and attempts and attempts[0].started:
            attempt = attempts[0]
        if attempt is None:
            self._judge_unstarted(end)
            return
        if self._preempted:
            self._finish(attempt, "preempted", "")
            return
        judgement = self._judging.begun(end, cancelled=attempt.cancelled)
        if judgement.note:
            self._note(life, judgement.note)
        if judgement.outcome and current is not None:
            self._conclude(end, attempt, current, judgement)
        elif judgement.cause:
            self._finish(attempt, judgement.cause, judgement.message, **judgement.extra)
        else:
            attempt.started = False

    def _conclude(self, end: End, attempt: Attempt, case: tuple[int, int], judgement: Judgement) -> None:
        self._host.record(self._judging.result(end, case, judgement))
        self.failed += 1
        self._brake.failed(self)
        self.deaths.append((case[1], judgement.message))
        attempt.done(case[1])
        crashed = attempt.pending or judgement.outcome == "crashed"
        self._finish(attempt, "crashed" if crashed else "done", judgement.message)

    def _judge_unstarted(self, end: End) -> None:
        """It ended before any case began: try again a few times, then blame the environment."""
        self._stillborn += 1
        if not self._agenda.attempts:
            # No verdict tells of a bad exit: the log of the run does.
            reason = late(end.life, end.code)
            if reason:
                self._note(end.life, reason)
        if not self._agenda.attempts or self._closing or self._stillborn < _STILLBORN_LIMIT:
            return
        message = self._judging.unstarted(end)
        self._stillborn = 0
        while self._agenda.attempts:
            self._finish(self._agenda.attempts[0], "environment", message)

    def _note(self, life: Life, text: str) -> None:
        self._log("stderr", f"[crossfleet: slot {self.number}: {text}]\n{life.stacks()}\n")

    def _succeed(self) -> None:
        """Begin the next life when there is work for it."""
        if self._closing:
            self.on_idle()
            return
        if not self._agenda.attempts:
            self._agenda.last = False
            for message in self._agenda.take_waiting():
                if message["op"] == "run":
                    self.run(message)
                else:
                    self.last()
        if self._agenda.attempts and self._life is None:
            self._begin_life()
        # What the last life left may be so little that the next one would hold it back without an end.
        self._ask()


def _nothing() -> None:
    return None
