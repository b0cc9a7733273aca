"""How processes of programs and commands wait until their host is quiet, and their results until they are judged.

Each executes one case. Where nothing is asked of the host it begins at once, and what it shows counts at once.
"""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.worker.shim.gatekeeper import Case, Gatekeeper, Verdict
from crossfleet.worker.shim.gates import Gates, told_beside
from crossfleet.worker.shim.gauge import Gauge
from crossfleet.worker.shim.host import Host, Message


class Admission:
    """Of one slot. ``refused(text)`` is called when its host was not quiet in time."""

    def __init__(self, host: Host, order: Message, spec: Message, gauge: Gauge, refused: Callable[[str], None]) -> None:
        self._host = host
        self._order = order
        self._number = int(spec["slot"])
        self._begin: Callable[[], None] | None = None
        self._kept: list[Message] = []
        self._judging = False
        self._gate: Gatekeeper | None = None
        if order.get("gates"):
            self._gate = Gatekeeper(
                host.loop,
                Gates(order["gates"]),
                gauge,
                opened=self._opened,
                refused=refused,
                note=self._remark,
            )

    @property
    def gated(self) -> bool:
        """Whether anything is asked of the host."""
        return self._gate is not None

    @property
    def judging(self) -> bool:
        """Whether the results of a process wait for their judgement."""
        return self._judging

    @property
    def busy(self) -> bool:
        """Whether a process waits to begin, or the results of one for their judgement."""
        return self._begin is not None or self._judging

    def admit(self, case: Case, begin: Callable[[], None]) -> None:
        """Call ``begin`` when the host is quiet."""
        if self._gate is None:
            begin()
            return
        self._begin = begin
        self._gate.ask(case)

    def withdraw(self) -> None:
        """Nobody wants to begin any more."""
        self._begin = None
        if self._gate is not None and not self._judging:
            self._gate.rest()

    def keep(self, result: Message) -> bool:
        """Keep a result until its process has ended and is judged. False: it counts at once."""
        if self._gate is not None:
            self._kept.append(result)
        return self._gate is not None

    def judge(self, judged: Callable[[list[Message] | None], None]) -> None:
        """The process has ended: call ``judged`` with the results that it left, or with None: it is to run again."""
        if self._gate is None or not self._kept:
            judged([])
            return
        self._judging = True

        def say(verdict: Verdict) -> None:
            self._judging = False
            kept, self._kept = self._kept, []
            if verdict.again:
                judged(None)
                return
            judged([told_beside(one, verdict.properties) for one in kept])

        self._gate.ended(say)

    def _opened(self, case: Case) -> None:
        begin, self._begin = self._begin, None
        if begin is not None and self._gate is not None:
            self._gate.began()
            begin()

    def _remark(self, text: str) -> None:
        line = f"[crossfleet: slot {self._number} {text}]\n"
        self._host.log(str(self._order["allocation"]), self._number, "stderr", line)
