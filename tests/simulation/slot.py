"""A slot of a simulated shim: attempts one after the other, the last case held back until it is known what follows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.loop import Process

Line = dict[str, Any]


@dataclass(slots=True)
class SlotAttempt:
    """One attempt; `pending` in the order of execution."""

    number: int
    pending: list[int]
    cancelled: bool = False
    began: bool = field(default=False)


class SimSlot:
    """As the shim's slot: `run`, `last`, `cancel`, `close`. `host` takes records and says what becomes of cases."""

    def __init__(self, shim: Any, allocation: Any, number: int) -> None:
        self._shim = shim
        self._process: Process = shim.process
        self._allocation = allocation
        self.number = number
        self.attempts: deque[SlotAttempt] = deque()
        self._later: list[Line] = []
        self._last = False
        self._asked = True
        self._closing = self._preempted = False
        self._life = 0
        self.current: tuple[int, int] | None = None
        self.lingers = False

    @property
    def wanting(self) -> bool:
        """Whether it asked and was not answered."""
        return self._asked and not self._last and bool(self.attempts)

    def shown(self) -> Line:
        """As the `attached` line says it."""
        waiting = [SlotAttempt(line["attempt"], line["cases"]) for line in self._later if line["op"] == "run"]
        attempts = [
            {"attempt": one.number, "pending": one.pending, "current": None} for one in [*self.attempts, *waiting]
        ]
        return {"slot": self.number, "attempts": attempts, "wanting": self.wanting}

    def run(self, line: Line) -> None:
        """Take an attempt; after `last` it waits for the next life of the slot."""
        if self._preempted:
            self._record_end(SlotAttempt(line["attempt"], list(line["cases"])), "preempted")
            return
        if self._last:
            self._later.append(line)
            return
        self.attempts.append(SlotAttempt(line["attempt"], list(line["cases"])))
        self._last = bool(line["last"])
        self._asked = False
        self._ask()
        self._pump()

    def last(self) -> None:
        """Nothing follows what was sent so far."""
        if self._later:
            self._later.append({"op": "last"})
        elif not self._last and self.attempts:
            self._last = True
            self._pump()

    def cancel(self, number: int) -> None:
        """End an attempt without results for what it has not finished."""
        for line in [one for one in self._later if one.get("attempt") == number]:
            self._later.remove(line)
            self._record_end(SlotAttempt(number, line["cases"]), "cancelled")
        for attempt in [one for one in self.attempts if one.number == number]:
            attempt.cancelled = True
            if self.current is not None and self.current[0] == number:
                self._die_soon("cancelled")
                continue
            self.attempts.remove(attempt)
            self._record_end(attempt, "cancelled")
        self._ask()
        self._pump()

    def preempt(self) -> None:
        """Begin nothing more."""
        self._preempted = True
        later, self._later = self._later, []
        for line in (one for one in later if one["op"] == "run"):
            self.run(line)
        current = self.current[0] if self.current is not None else 0
        for attempt in [one for one in self.attempts if one.number != current]:
            self.attempts.remove(attempt)
            self._record_end(attempt, "preempted")

    def close(self) -> None:
        """Cancel everything; the allocation is told when nothing runs any more."""
        self._closing = True
        waiting = [line["attempt"] for line in self._later if line["op"] == "run"]
        for number in [one.number for one in self.attempts] + waiting:
            self.cancel(number)

    def _pump(self) -> None:
        if self.current is not None or self._closing:
            return
        pending = [(one.number, case) for one in self.attempts for case in one.pending]
        if not pending:
            if self._last:
                self._succeed()
            return
        if len(pending) == 1 and not self._last:
            return  # held back: its tear-down depends on what follows
        self.current = pending[0]
        self._life += 1
        self._shim.starts(self._allocation, self.number, *pending[0])
        seconds = self._shim.seconds(self._allocation, pending[0][1])
        self._process.loop.call_later(seconds, self._ends, self._life, *pending[0])

    def _ends(self, life: int, number: int, case: int) -> None:
        if life != self._life or self.current is None:
            return
        attempt = self.attempts[0]
        if self._shim.in_trouble(self._allocation):
            self._end_life(attempt, "out_of_memory")
            return
        outcome = self._shim.outcome(self._allocation, number, case)
        self._shim.record(
            {"op": "result", "attempt": number, "case": case, "outcome": outcome, "durations": [0, 0.01, 0]}
        )
        attempt.pending.remove(case)
        if outcome == "crashed":
            self._end_life(attempt, "crashed")
            return
        self._leave_case()
        if not attempt.pending:
            self.attempts.remove(attempt)
            self._record_end(attempt, "done")
        elif self._preempted:
            self.attempts.remove(attempt)
            self._record_end(attempt, "preempted")
        self._ask()
        self._pump()

    def _die_soon(self, cause: str) -> None:
        self._life += 1
        life = self._life
        attempt = self.attempts[0]
        self._process.loop.call_later(self._shim.random.random() * 0.3, self._died, life, attempt, cause)

    def _died(self, life: int, attempt: SlotAttempt, cause: str) -> None:
        if life == self._life:
            self._end_life(attempt, cause)

    def _end_life(self, attempt: SlotAttempt, cause: str) -> None:
        self._leave_case()
        self.attempts.remove(attempt)
        self._record_end(attempt, cause)
        self._succeed()

    def _succeed(self) -> None:
        """Begin the next life where there is work for it."""
        if self._closing:
            self._allocation.slot_ended()
            return
        if not self.attempts:
            self._last = False
            waiting, self._later = self._later, []
            for line in waiting:
                if line["op"] == "run":
                    self.run(line)
                else:
                    self.last()
        self._ask()
        self._pump()

    def _leave_case(self) -> None:
        self.current = None
        self._shim.stops(self.number, self._allocation)

    def _record_end(self, attempt: SlotAttempt, cause: str) -> None:
        self._shim.record({"op": "finished", "attempt": attempt.number, "cause": cause, "left": list(attempt.pending)})

    def _ask(self) -> None:
        if self._asked or self._last or self._closing or len(self.attempts) > 2:
            return
        if sum(len(one.pending) for one in self.attempts) <= 2:
            self._asked = True
            self._shim.tell({"op": "want", "allocation": self._allocation.name, "slot": self.number})
