"""A simulated shim: allocations, slots and the journal. It outlives agents; its host's end takes everything with it."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.simulation.loop import Process
from tests.simulation.slot import Line, SimSlot
from tests.simulation.suites import SimSuite

_STRAGGLES = 0.7
_SOON = 0.01  # simulated seconds: no test waits for them


class SimAllocation:
    """One open allocation."""

    def __init__(self, shim: SimShim, line: Line) -> None:
        self.name: str = line["allocation"]
        self.suite: SimSuite = shim.world.suites[line["argv"][0]]
        self.state = "collecting"
        self._shim = shim
        self.slots = {one["slot"]: SimSlot(shim, self, one["slot"]) for one in line["slots"]}

    def collected(self) -> Line:
        """The `collected` line."""
        worker = self._shim.worker
        cases = [{"id": case, "group": [case.partition("::")[0]]} for case in self.suite.collection(worker)]
        return {"op": "collected", "allocation": self.name, "digest": self.suite.digest(worker), "cases": cases}

    def shown(self) -> Line:
        """As the `attached` line says it."""
        slots = [slot.shown() for slot in self.slots.values()]
        return {"allocation": self.name, "runner": "pytest", "state": self.state, "slots": slots}

    def close(self) -> None:
        """Give everything back."""
        if self.state != "closing":
            self.state = "closing"
            for slot in self.slots.values():
                slot.close()
            self.slot_ended()

    def close_slots(self, numbers: list[int]) -> None:
        """Give single slots back: their processes end after a while."""
        for number in numbers:
            slot = self.slots.get(number)
            if slot is None:
                self._shim.tell({"op": "slots_closed", "allocation": self.name, "slots": [number]})
            elif not slot.lingers:
                if not all(attempt.cancelled for attempt in slot.attempts):
                    self._shim.world.violate(f"{self._shim.worker} is to give back slot {number} with an attempt")
                slot.lingers = True
                slot.close()
                self._shim.process.loop.call_later(0.3 * self._shim.lingering.random(), self._slot_gone, number)

    def _slot_gone(self, number: int) -> None:
        if self.slots[number].current is not None:
            self._shim.process.loop.call_later(_SOON, self._slot_gone, number)
            return
        del self.slots[number]
        self._shim.tell({"op": "slots_closed", "allocation": self.name, "slots": [number]})
        self.slot_ended()

    def slot_ended(self) -> None:
        """A slot has nothing running any more."""
        idle = all(slot.current is None and not slot.lingers for slot in self.slots.values())
        if self.state == "closing" and idle and self._shim.allocations.pop(self.name, None) is not None:
            self._shim.record({"op": "closed", "allocation": self.name, "cause": "done"})


class SimShim:
    """Takes the agent's lines, answers with its own. `truth` (in the world) learns every outcome."""

    def __init__(self, world: Any, worker: str, boot: str, process: Process, random: Random) -> None:
        self.world, self.worker, self.boot, self.process, self.random = world, worker, boot, process, random
        self.lingering: Random = world.chance.stream(f"lingering {boot}")
        self.allocations: dict[str, SimAllocation] = {}
        self.journal: list[Line] = []
        self._next = 1
        self._agent: Any = None
        self._busy: dict[int, tuple[str, int]] = {}

    def inherit(self, journal: list[Line]) -> None:
        """Take over what a predecessor on this host wrote and was not told to drop."""
        for line in journal:
            self.record({key: value for key, value in line.items() if key != "sequence"})

    def attach(self, agent: Any) -> None:
        """An agent attached; the one before it is no longer heard."""
        self._agent = agent
        shown = [allocation.shown() for allocation in self.allocations.values()]
        first = self.journal[0]["sequence"] if self.journal else self._next
        numbers = {"first_sequence": first, "next_sequence": self._next}
        self.tell({"op": "attached", "boot": self.boot, "pid": 1, "version": "1", "allocations": shown, **numbers})
        for line in self.journal:
            self.tell(line)

    def detach(self, agent: Any) -> None:
        """The agent is gone."""
        if self._agent is agent:
            self._agent = None

    def tell(self, line: Line) -> None:
        """Say something to whoever is attached."""
        if self._agent is not None:
            self._agent.hear(line)

    def record(self, line: Line) -> None:
        """Journal, then say."""
        line = {**line, "sequence": self._next}
        self._next += 1
        self.journal.append(line)
        self.tell(line)

    def take(self, agent: Any, line: Line) -> None:
        """Carry out one line of the attached agent."""
        if agent is not self._agent:
            return
        op = line["op"]
        allocation = self.allocations.get(line.get("allocation", ""))
        if op == "open":
            self._open(line)
        elif op == "ack":
            self.journal = [one for one in self.journal if one["sequence"] > line["sequence"]]
        elif op == "cancel":
            for number in line["attempts"]:
                self.world.auditor.answers.cancelled(self.worker, number)
                for one in list(self.allocations.values()):
                    for slot in one.slots.values():
                        slot.cancel(number)
        elif allocation is None:
            if op == "run":
                left = {"attempt": line["attempt"], "left": line["cases"], "message": "no such allocation"}
                self.record({"op": "finished", "cause": "environment", **left})
            elif op == "close":
                self.record({"op": "closed", "allocation": line["allocation"], "cause": "done"})
        elif op == "run" and allocation.state == "closing":
            self.record({"op": "finished", "attempt": line["attempt"], "cause": "cancelled", "left": line["cases"]})
        elif op == "run":
            self._check_new(allocation, line["attempt"])
            allocation.slots[line["slot"]].run(line)
        elif op == "close_slots":
            if allocation.state != "closing":
                allocation.close_slots(line["slots"])
        elif op == "preempt":
            for slot in allocation.slots.values():
                slot.preempt()
        elif op == "last":
            allocation.slots[line["slot"]].last()
        elif op == "collection" and allocation.state == "ready":
            self.tell(allocation.collected())
        elif op == "close":
            self.world.auditor.answers.closed(self.worker, allocation.name)
            allocation.close()

    def _check_new(self, allocation: SimAllocation, number: int) -> None:
        held = [one["attempt"] for slot in allocation.shown()["slots"] for one in slot["attempts"]]
        if number in held:
            self.world.violate(f"{self.worker} was given attempt {number} a second time")

    def _open(self, line: Line) -> None:
        if line["allocation"] not in self.allocations:
            allocation = self.allocations[line["allocation"]] = SimAllocation(self, line)
            self.process.loop.call_later(0.02 + 0.3 * self.random.random(), self._collected, allocation)

    def _collected(self, allocation: SimAllocation) -> None:
        if allocation.state == "collecting":
            allocation.state = "ready"
            self.tell(allocation.collected())

    def starts(self, allocation: SimAllocation, slot: int, attempt: int, case: int) -> None:
        """A case begins: nothing else that counts may run on its slot."""
        other = self._busy.get(slot)
        if other is not None and other[0] != allocation.name:
            holder = self.allocations.get(other[0])
            if holder is not None and holder.state != "closing":
                self.world.violate(f"{self.worker} slot {slot} runs {other} and {(allocation.name, attempt)} at once")
        for one in self.allocations.values():
            if one is not allocation and one.state != "closing" and slot in one.slots and one.slots[slot].lingers:
                self.world.violate(
                    f"{self.worker} slot {slot} works for {allocation.name}, and {one.name} still has it"
                )
        self._busy[slot] = (allocation.name, attempt)

    def stops(self, slot: int, allocation: SimAllocation) -> None:
        """It has ended."""
        if self._busy.get(slot, ("", 0))[0] == allocation.name:
            del self._busy[slot]

    def seconds(self, allocation: SimAllocation, case: int) -> float:
        """How long a case takes here."""
        lasting = allocation.suite.straggling.get(allocation.suite.collection(self.worker)[case], 0.0)
        if lasting and self.lingering.random() < _STRAGGLES:
            return lasting
        return allocation.suite.seconds[allocation.suite.collection(self.worker)[case]] / self.world.speeds[self.worker]

    def in_trouble(self, allocation: SimAllocation) -> bool:
        """Whether the infrastructure fails under the case that runs."""
        return self.world.healing is False and self.random.random() < allocation.suite.trouble

    def outcome(self, allocation: SimAllocation, attempt: int, case: int) -> str:
        """What the case shows; remembered as the truth."""
        case_id = allocation.suite.collection(self.worker)[case]
        outcome = allocation.suite.outcomes[case_id]
        if case_id in allocation.suite.flaky:
            outcome = self.random.choice(["passed", "failed", "crashed"])
        self.world.truth[attempt, case_id] = outcome
        return outcome
