"""Lets the cases of one slot begin when its host is quiet, and says of each whether it stayed so."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from crossfleet.worker.shim.gates import WINDOW_SECONDS, Gates, Measures, Reading, properties, recent
from crossfleet.worker.shim.gauge import Gauge
from crossfleet.worker.shim.host import Message
from crossfleet.worker.shim.loop import Loop, Timer

_LOOK_SECONDS = 0.25
"""A closed gate is looked at so often; heat and clocks of a case that lasts four times as seldom."""

Case = tuple[int, int]
"""Attempt and index."""


class Verdict(NamedTuple):
    """On one execution: whether the case is to be executed ``again``, and else what is told of it."""

    again: bool
    properties: list[list[str]]


class Gatekeeper:
    """``opened(case)`` is called when the case that was asked for may begin, ``refused(text)`` when it has waited too long.

    ``note(text)`` gets lines for people. One case at a time; the next may be asked for when the last is judged.
    """

    def __init__(
        self,
        loop: Loop,
        gates: Gates,
        gauge: Gauge,
        *,
        opened: Callable[[Case], None],
        refused: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._gates = gates
        self._gauge = gauge
        self._opened = opened
        self._refused = refused
        self._note = note
        self._case: Case | None = None
        self._repeats = 0
        self._state = ""
        self._turn = 0
        self._deadline = 0.0
        self._measured = False
        self._told = ""
        self._readings: list[Reading] = []
        self._start: list[Reading] = []
        self._samples: list[Reading] = []
        self._before: Measures = {}
        self._timer: Timer | None = None

    def ask(self, case: Case) -> None:
        """A case wants to begin. Asked again, one for which the gates are open may begin at once."""
        if case == self._case and self._state == "waiting":
            return
        if case == self._case and self._state == "open":
            self._opened(case)
            return
        if case != self._case:
            self._repeats = 0
        self._case = case
        self._enter("waiting")
        self._told = ""
        self._measured = False
        self._deadline = self._loop.now + self._gates.wait
        self._look()

    def rest(self) -> None:
        """No case wants to begin."""
        self._enter("")

    def began(self) -> None:
        """The case executes."""
        if self._state == "open":
            self._enter("running")
            self._sample_later()

    def ended(self, judged: Callable[[Verdict], None]) -> None:
        """The case has ended: measure once more and judge."""
        turn = self._enter("judging")

        def judge(reading: Reading | None) -> None:
            if turn == self._turn:
                self._enter("")
                judged(self._judge(reading))

        self._gauge.ask(judge)

    def unjudged(self) -> list[list[str]]:
        """What is told of a case that cannot be judged any more."""
        self._enter("")
        return properties(self._before, {}, "its process ended before it was judged", self._repeats)

    def _enter(self, state: str) -> int:
        """What was to be done in the state before is not done any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._state = state
        self._turn += 1
        return self._turn

    def _look(self) -> None:
        turn, case = self._turn, self._case
        if case is not None:
            self._gauge.ask(lambda reading: self._looked(case, reading) if turn == self._turn else None)

    def _looked(self, case: Case, reading: Reading | None) -> None:
        closed = self._gauge.trouble
        pause = _LOOK_SECONDS
        if reading is not None:
            self._readings = recent([*self._readings, reading])
            span = reading["at"] - self._readings[0]["at"]
            pause = max(WINDOW_SECONDS - span, _LOOK_SECONDS / 10)
            closed = self._told or "its window is not over"
            if not self._measured:
                # Gauges that begin late, on a busy machine, take nothing of the time in which it may become quiet.
                self._measured = True
                self._deadline = self._loop.now + self._gates.wait
            if span >= WINDOW_SECONDS:
                pause = _LOOK_SECONDS
                measures = self._gates.measured(self._readings, running=False)
                closed = self._gates.broken(measures, running=False)
                self._tell(closed)
                if not closed:
                    self._before, self._start, self._samples = measures, [*self._readings], []
                    self._enter("open")
                    self._opened(case)
                    return
        if self._loop.now >= self._deadline:
            self._enter("")
            self._refused(f"the host was not quiet within {self._gates.wait:g} s: {closed}")
        else:
            self._timer = self._loop.call_after(pause, self._look)

    def _tell(self, closed: str) -> None:
        if closed and not self._told:
            self._note(f"waits for its host to become quiet: {closed}")
        elif not closed and self._told:
            self._note("goes on: its host is quiet")
        self._told = closed

    def _sample_later(self) -> None:
        self._timer = self._loop.call_after(4 * _LOOK_SECONDS, self._sample)

    def _sample(self) -> None:
        turn = self._turn

        def sampled(reading: Reading | None) -> None:
            if turn == self._turn:
                if reading is not None:
                    # Of the sums the last says all; of heat and clocks the extremes are kept.
                    self._samples = [_extremes([*self._samples, reading])]
                self._sample_later()

        self._gauge.ask(sampled)

    def _judge(self, reading: Reading | None) -> Verdict:
        if reading is None:
            noise, measures = self._gauge.trouble, Measures()
            self._readings = []
        else:
            self._readings = recent([*self._readings, reading])
            long = [one for one in self._start if reading["at"] - one["at"] >= WINDOW_SECONDS]
            since = long[-1] if long else self._start[0]
            measures = self._gates.measured([since, *self._samples, reading], running=True)
            noise = self._gates.broken(measures, running=True)
        if noise and self._repeats < self._gates.repeats:
            self._repeats += 1
            self._note(f"executes a case again: {noise}")
            return Verdict(again=True, properties=[])
        return Verdict(again=False, properties=properties(self._before, measures, noise, self._repeats))


def _extremes(readings: list[Reading]) -> Message:
    found: Message = {**readings[-1]}
    for name, worse in (("temperature", max), ("clock", min)):
        values = [one[name] for one in readings if name in one]
        if values:
            found[name] = worse(values)
    gpus: dict[str, list[float | None]] = {}
    for one in readings:
        for device, values in one.get("gpus", {}).items():
            known = gpus.get(device, values)
            gpus[device] = [max(pair, key=lambda value: value or 0.0) for pair in zip(known, values, strict=True)]
    if gpus:
        found["gpus"] = gpus
    return found
