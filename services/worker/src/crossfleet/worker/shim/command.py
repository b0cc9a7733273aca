"""An allocation whose runner is a plain command: one case, its exit code the verdict."""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Callable

from crossfleet.worker.shim import death, junit, processes
from crossfleet.worker.shim.admission import Admission
from crossfleet.worker.shim.attempt import Attempt
from crossfleet.worker.shim.cores import core_hint
from crossfleet.worker.shim.gauge import Gauge
from crossfleet.worker.shim.host import Host, Message, fresh_token
from crossfleet.worker.shim.life import TOKEN, Life
from crossfleet.worker.shim.loop import Timer
from crossfleet.worker.shim.reaper import described
from crossfleet.worker.shim.slotclosing import close_slots
from crossfleet.worker.shim.zygote import ALLOCATION_TOKEN, spawn


class CommandAllocation:
    """Nothing to collect: "collected" follows "open" at once, with the command line as the only case."""

    runner = "command"

    def __init__(self, host: Host, order: Message, on_closed: Callable[[str], None]) -> None:
        self.name = str(order["allocation"])
        self.state = "opening"
        self._host = host
        self._on_closed = on_closed
        self._grace = float((order.get("limits") or {}).get("grace_seconds") or 5)
        self._identity = shlex.join(str(word) for word in order["argv"])
        self._mark = fresh_token()
        self._order = {**order, "env": {**order["env"], ALLOCATION_TOKEN: self._mark}}
        self._gauge = Gauge(host, order, self._mark)
        self._unquiet = ""
        self.slots = {int(spec["slot"]): self._slot(spec) for spec in order["slots"]}

    def _slot(self, spec: Message) -> CommandSlot:
        return CommandSlot(
            self._host, self._order, spec, Admission(self._host, self._order, spec, self._gauge, self._refuse)
        )

    def open(self) -> None:
        """Announce the one case."""
        self.state = "ready"
        self.send_collection()

    def send_collection(self) -> None:
        """Send "collected" (again)."""
        import hashlib  # brings OpenSSL, 4 MB: an idle shim does without

        gated = bool(self._order.get("gates"))
        self._host.tell(
            {
                "op": "collected",
                "allocation": self.name,
                "digest": hashlib.sha256(self._identity.encode("utf-8", "surrogatepass")).hexdigest()
                + "-gated" * gated,
                "cases": [{"id": self._identity, "group": [], "lineno": 0, "exclusive": gated}],
                "seconds": 0.0,
                "errors": [],
                "skipped": [],
                "deselected": 0,
                "withheld": 0,
                "safe_to_fork": True,
                "reason": "",
            }
        )

    def close(self) -> None:
        """End what runs; "closed" follows."""
        if self.state == "closing":
            return
        self.state = "closing"
        for slot in self.slots.values():
            slot.on_idle = self._slot_idle
            slot.close(self._grace)
        self._slot_idle()

    def close_slots(self, numbers: list[int]) -> None:
        """Give single slots back; the others go on."""
        close_slots(self._host, self.name, self.slots, numbers, lambda slot: slot.close(self._grace))

    def preempt(self, seconds: float) -> None:
        """Let no slot begin anything more; a command is not told how long it has."""
        for slot in self.slots.values():
            slot.preempt()

    def kill(self) -> None:
        """End every process of this allocation now, without a record."""
        processes.kill_marked(f"{ALLOCATION_TOKEN}={self._mark}".encode(), set())

    def _refuse(self, text: str) -> None:
        """Its host is not quiet: give everything back, for the command to be executed elsewhere."""
        self._unquiet = text
        for slot in self.slots.values():
            slot.forget()
        self.close()

    def _slot_idle(self) -> None:
        if self.state == "closing" and not any(slot.alive for slot in self.slots.values()):
            self.state = "closed"
            self._gauge.close()
            self.kill()
            cause = "not_quiet" if self._unquiet else "done"
            self._host.record({"op": "closed", "allocation": self.name, "cause": cause, "message": self._unquiet})
            self._on_closed(self.name)


class CommandSlot:
    """Runs the command once per attempt, one after the other."""

    def __init__(self, host: Host, order: Message, spec: Message, admission: Admission) -> None:
        self._host = host
        self._order = order
        self._admission = admission
        self._limits: Message = order.get("limits") or {}
        self.number = int(spec["slot"])
        self._env = {**order["env"], **(spec.get("env") or {})}
        self._memory_bytes = int(spec.get("memory_bytes") or 0)
        self.on_idle: Callable[[], None] = _nothing
        self._attempts: deque[Attempt] = deque()
        self._life: Life | None = None
        self._limit: Timer | None = None
        self._started = 0.0
        self._reports: junit.Marks = {}
        self._timed_out = 0.0
        self._preempted = self._told = False

    @property
    def alive(self) -> bool:
        """True while the command runs here."""
        return self._life is not None or self._admission.judging

    def describe(self) -> Message:
        """Return this slot as the agent sees it when it attaches."""
        attempts = [
            {
                "attempt": a.number,
                "pending": list(a.pending),
                "current": 0 if a.started else None,
                "since": round(self._started, 6),
            }
            for a in self._attempts
        ]
        return {"slot": self.number, "attempts": attempts, "wanting": False}

    def inspect(self, order: Message, answer: Message) -> bool:
        """As a slot of pytest's does; what a command prints is in the run's log at once."""
        attempt = self._attempts[0] if self._attempts else None
        if attempt is None or self._life is None or attempt.number != answer["attempt"]:
            return False
        answer["case"] = 0
        answer["seconds"] = round(time.time() - self._started, 3)
        self._life.tell_stacks(answer, wanted=bool(order.get("stacks")))
        return True

    def run(self, message: Message) -> None:
        """Take an attempt; it starts when the one before it has ended."""
        attempt = Attempt(int(message["attempt"]), message["cases"], message.get("case_seconds") or {})
        if self._preempted:
            self._host.record(attempt.finished("preempted", "", 0))
            return
        self._attempts.append(attempt)
        self._ask(message)
        if self._life is None and not self._admission.busy:
            self._begin()

    def last(self) -> None:
        """Nothing follows; nothing is held back here, so there is nothing to do."""

    def cancel(self, number: int, grace: float) -> None:
        """End an attempt without a result. Unknown attempts are ignored."""
        for attempt in [a for a in self._attempts if a.number == number]:
            attempt.cancelled = True
            if attempt.started and self._life is not None:
                self._life.interrupt(grace)
            else:
                self._drop(attempt, "cancelled")

    def preempt(self) -> None:
        """Begin nothing more. A command that handles SIGTERM gets it: it has shown nothing then, however it ends."""
        self._preempted = True
        for attempt in [one for one in self._attempts if not one.started]:
            self._drop(attempt, "preempted")
        if self._life is not None and not self._told:
            self._told = self._life.ask_to_end()

    def _drop(self, attempt: Attempt, cause: str) -> None:
        """End an attempt that has not started."""
        self._attempts.remove(attempt)
        self._host.record(attempt.finished(cause, "", 0))
        if self._life is None and not self._admission.judging:
            self._admission.withdraw()
            if self._attempts:
                self._begin()

    def forget(self) -> None:
        """Drop what waits here without a word: the coordinator ends it with the whole allocation."""
        self._admission.withdraw()
        self._attempts.clear()

    def close(self, grace: float) -> None:
        """Cancel everything."""
        for attempt in list(self._attempts):
            self.cancel(attempt.number, grace)

    def _ask(self, message: Message) -> None:
        if not message.get("last"):
            self._host.tell({"op": "want", "allocation": self._order["allocation"], "slot": self.number})

    def _begin(self) -> None:
        attempt = self._attempts[0]
        self._admission.admit((attempt.number, 0), lambda: self._start(attempt))

    def _start(self, attempt: Attempt) -> None:
        attempt.started = True
        life = Life(self._host, self._memory_bytes, self._log)
        env = {**self._env, TOKEN: life.token}
        if self._order.get("artifacts_dir"):
            env["CROSSFLEET_ARTIFACTS_DIR"] = str(self._order["artifacts_dir"])
        argv = [str(word) for word in self._order["argv"]]
        self._reports = self._reports_there()
        self._started = time.time()
        self._timed_out = 0.0
        try:
            spawned = spawn(argv, str(self._order["cwd"]), env)
        except (OSError, ValueError) as error:
            life.dispose()
            self._finish(attempt, "environment", f"cannot start {argv[0]!r} in {self._order['cwd']}: {error}", 0)
            self._proceed()
            return
        self._life = life
        life.on_end = self._ended
        life.adopt_output(spawned.outputs)
        life.born(spawned.pid)
        limit = float(attempt.limits.get("0", 0) or self._limits.get("case_seconds") or 0)
        if limit > 0:
            self._limit = self._host.loop.call_after(limit, lambda: self._exceeded(limit))
        self._host.tell({"op": "started", "attempt": attempt.number, "case": 0, "at": round(self._started, 6)})

    def _log(self, stream: str, data: str) -> None:
        self._host.log(self._order["allocation"], self.number, stream, data)

    def _exceeded(self, limit: float) -> None:
        if self._life is not None:
            self._timed_out = limit
            self._life.time_out(float(self._limits.get("grace_seconds") or 5))

    def _ended(self, code: int) -> None:
        life = self._life
        if life is None:
            return
        if self._limit is not None:
            self._limit.cancel()
        peak = life.watched.peak if life.watched is not None else 0
        try:
            if self._attempts:
                self._conclude(life, self._attempts[0], code, peak)
        finally:
            life.dispose()
            self._life = None
        if not self._admission.busy:
            self._proceed()

    def _conclude(self, life: Life, attempt: Attempt, code: int, peak: int) -> None:
        if attempt.cancelled:
            self._finish(attempt, "cancelled", "", peak)
            return
        if self._told:
            self._finish(attempt, "preempted", "", peak)
            return
        if life.starved(code):
            text = f"the host had no memory left, and its kernel killed the command; {peak >> 20} MiB seen"
            self._finish(attempt, "out_of_memory", text, peak)
            return
        details = self._add_junit(attempt)
        outcome, message = _verdict(code, self._timed_out)
        if life.over_memory and not self._timed_out:
            outcome, message = "crashed", death.out_of_memory(self._memory_bytes, max(life.over_memory, peak))
        if outcome != "passed":
            details = [*details, *self._traces(life)]
        result: Message = {"op": "result", "attempt": attempt.number, "case": 0, "outcome": outcome}
        result["start"] = self._started
        result["durations"] = [0.0, round(time.time() - self._started, 6), 0.0]
        result["cpu"] = 0.0
        result["message"] = message
        result["details"] = "\n".join(text for text in (message, *details) if text)
        result["sections"] = [[f"{name} (end)", text] for name, text in life.tails() if text]
        if code < 0:
            result["signal"] = -code
        self._record(result)
        self._admission.judge(lambda results: self._judged(attempt, results, peak))

    def _record(self, result: Message) -> None:
        if not self._admission.keep(result):
            self._host.record(result)

    def _judged(self, attempt: Attempt, results: list[Message] | None, peak: int) -> None:
        """What the command showed counts, or it is to run again."""
        if attempt in self._attempts and results is None:
            attempt.started = False
        elif attempt in self._attempts:
            for result in results or ():
                self._host.record(result)
            attempt.pending.clear()
            self._finish(attempt, "done", "", peak)
        if self._life is None:
            self._proceed()

    def _finish(self, attempt: Attempt, cause: str, message: str, peak: int) -> None:
        self._attempts.remove(attempt)
        self._host.record(attempt.finished(cause, message, peak))

    def _traces(self, life: Life) -> list[str]:
        """What tells why it ended so: the command for a core's backtrace, stacks that were taken."""
        hint = ""
        if self._host.reaper.dumped_core(life.pid):
            hint = core_hint(life.pid, str(self._order["argv"][0]), str(self._order["cwd"]), self._started)
        return [text for text in (f"backtrace of the core: {hint}" if hint else "", life.stacks()) if text]

    def _add_junit(self, attempt: Attempt) -> list[str]:
        """Record the cases of the reports that the command left; returns why some could not be read."""
        unread = []
        for path, mark in sorted(self._reports_there().items()):
            if self._reports.get(path) == mark:
                continue  # of an earlier command
            try:
                cases = junit.read_cases(path)
            except junit.Unreadable as error:
                unread.append(f"not read as JUnit: {error}")
                continue
            for case in cases:
                seconds = case.pop("seconds")
                added = {"op": "result", "attempt": attempt.number, "case": 0, "start": self._started}
                record = {**added, "durations": [0.0, seconds, 0.0], "cpu": 0.0, "message": "", **case}
                self._record(record)
        return unread

    def _reports_there(self) -> junit.Marks:
        return junit.marks(str(self._order["cwd"]), [str(pattern) for pattern in self._order.get("junit_globs") or ()])

    def _proceed(self) -> None:
        if self._attempts:
            self._begin()
        else:
            self.on_idle()


def _verdict(code: int, timed_out: float) -> tuple[str, str]:
    if timed_out:
        return "timed_out", f"exceeded the time limit of {timed_out:g} s"
    if code == 0:
        return "passed", ""
    return ("failed" if code > 0 else "crashed"), f"the command {described(code)}"


def _nothing() -> None:
    return None
