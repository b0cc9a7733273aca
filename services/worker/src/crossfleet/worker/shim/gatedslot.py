"""A slot of a pytest allocation whose cases wait until their host is quiet, and are judged before their results count."""

from __future__ import annotations

import json
from collections.abc import Callable

from crossfleet.worker.shim.attempt import Attempt
from crossfleet.worker.shim.brake import Brake
from crossfleet.worker.shim.gatekeeper import Case, Gatekeeper, Verdict
from crossfleet.worker.shim.gates import Gates, told_beside
from crossfleet.worker.shim.gauge import Gauge
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.life import Life
from crossfleet.worker.shim.slots import Slot


class GatedSlot(Slot):
    """Its process holds every case back until it is told to go on, and each result until the execution is judged."""

    def __init__(
        self,
        host: Host,
        allocation: str,
        spec: Message,
        order: Message,
        start: Callable[[Life], None],
        brake: Brake,
        *,
        gates: Gates,
        gauge: Gauge,
        refused: Callable[[str], None],
    ) -> None:
        super().__init__(host, allocation, spec, order, start, brake)
        self._gate = Gatekeeper(host.loop, gates, gauge, opened=self._opened, refused=refused, note=self._remark)
        self._result_waits: tuple[int, int, bool, bytes] | None = None

    def forget(self) -> None:
        """Drop what waits here without a word: the coordinator ends it with the whole allocation."""
        self._gate.rest()
        self._result_waits = None
        self._agenda.take_waiting()
        for attempt in self._agenda.attempts:
            if self._life is not None and attempt.sent:
                self._life.send(b'{"op": "drop", "attempt": %d}\n' % attempt.number)
        self._agenda.attempts.clear()

    def cancel(self, number: int, grace: float) -> None:
        """As for any slot; what is left may be let in."""
        super().cancel(number, grace)
        self._let_in()

    def go_on(self) -> None:
        """Go on as soon as the host is quiet."""
        self._let_in()

    def last(self) -> None:
        """Nothing follows; a case that was held back for that may begin."""
        super().last()
        self._let_in()

    def _push(self, attempt: Attempt) -> None:
        super()._push(attempt)
        self._let_in()

    def _let_in(self) -> None:
        """Ask for the gates of the case that is next, where one is."""
        life, waits = self._life, self._result_waits is not None or self._watch.current is not None
        if life is None or not life.ready or waits or self._brake.on:
            return
        following = next((one for one in self._agenda.attempts if one.sent and one.pending and not one.cancelled), None)
        if following is None or self._closing:
            self._gate.rest()
        else:
            self._gate.ask((following.number, following.pending[0]))

    def _opened(self, case: Case) -> None:
        if self._life is not None and self._life.ready:
            self._life.send(b'{"op": "go", "attempt": %d, "case": %d}\n' % case)

    def _move_to(self, current: tuple[int, int] | None) -> None:
        super()._move_to(current)
        if current is not None:
            self._gate.began()

    def _result(self, number: int, case: int, failed: bool, payload: bytes, following: tuple[int, int] | None) -> None:
        self._result_waits = (number, case, failed, payload)
        self._move_to(None)
        self._gate.ended(self._judged)

    def _judged(self, verdict: Verdict) -> None:
        if self._result_waits is None or self._life is None:
            return
        number, case, _, _ = self._result_waits
        if verdict.again and self._agenda.find(number) is not None and not self._closing:
            self._result_waits = None
            self._life.send(b'{"op": "again", "attempt": %d, "case": %d}\n' % (number, case))
        else:
            self._life.send(json.dumps({"op": "kept", "host": verdict.properties}).encode("ascii") + b"\n")
            self._record(verdict.properties)
        self._let_in()

    def _record(self, properties: list[list[str]]) -> None:
        if self._result_waits is not None:
            number, case, failed, payload = self._result_waits
            self._result_waits = None
            told = json.dumps(told_beside(json.loads(payload), properties)).encode("ascii")
            super()._result(number, case, failed, told, None)

    def _ended(self, code: int) -> None:
        self._record(self._gate.unjudged())
        super()._ended(code)

    def _remark(self, text: str) -> None:
        self._log("stderr", f"[crossfleet: slot {self.number} {text}]\n")
