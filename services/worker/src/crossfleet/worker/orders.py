"""Carrying out what the coordinator says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.checkup import Checkup
from crossfleet.worker.core.holdings import Holding, Phase, Task
from crossfleet.worker.core.link import Link
from crossfleet.worker.opening import Openings
from crossfleet.worker.shimlink import ShimLink
from crossfleet.worker.translate import downward, facts, upward


class Orders:
    """One method for each kind of message down."""

    def __init__(
        self,
        link: Link,
        shim: ShimLink,
        openings: Openings,
        checkup: Checkup,
        *,
        wake: Callable[[], None],
        grace: float,
    ) -> None:
        """`wake` says that there is something to send; `grace` in seconds is for attempts that a Welcome ends."""
        self._link = link
        self._shim = shim
        self._openings = openings
        self._wake = wake
        self._grace = grace
        self._kinds: dict[str, Callable[[Any], None]] = {
            "open_allocation": self.open,
            "assign": self.assign,
            "no_more_tasks": self.no_more,
            "cancel_attempts": lambda message: self.cancel(message.attempt_ids, message.grace_seconds),
            "close_allocation": lambda message: self.close(message.allocation_id),
            "close_slots": self.close_slots,
            "preempt_notice": self.preempt,
            "acknowledge": lambda message: self._cut(self._link.acknowledged(message.sequence)),
            "check_health": checkup.check,
            "inspect": lambda message: self._shim.send(downward.inspect_line(message)),
            "drain": lambda message: get_logger().info("the fleet gives this worker nothing new", cause=message.reason),
        }
        self.refusing = ""
        self.spent = ""
        """Why the shim gets no more tasks; empty: it does."""

    def carry_out(self, message: wire.CoordinatorMessage) -> None:
        """Do what one message says. A kind that is newer than this worker is logged and left."""
        kind = message.WhichOneof("kind")
        action = self._kinds.get(kind or "")
        if action is None or kind is None:
            get_logger().warning("the coordinator said something unknown", kind=kind)
            return
        action(getattr(message, kind))

    def welcome(self, welcome: wire.Welcome) -> None:
        """A session begins: end what is not to be kept, tell again what may have been lost."""
        asked = self._link.welcomed(
            welcome.acknowledged_sequence, welcome.keep_allocation_ids, welcome.cancel_attempt_ids
        )
        self._cut(asked.cut_journal)
        self.cancel(asked.cancel, self._grace)
        for allocation in asked.close:
            self.close(allocation)
        for holding in self._link.holdings.all():
            if holding.phase is Phase.READY and not holding.served:
                self._collect_again(holding)
            if holding.given_back:
                # What came since Hello was written could not be said before the Welcome.
                self._say_closed(holding, holding.given_back)
        self._wake()

    def refuse(self, reason: str) -> None:
        """Take no new allocations: the agent is leaving."""
        self.refusing = self.refusing or reason

    def open(self, order: wire.OpenAllocation) -> None:
        """Prepare an allocation."""
        self._openings.open(order)
        if why := self.refusing or self.spent:
            self._openings.cancel(order.allocation_id)
            self._openings.end(order.allocation_id, "environment", why)

    def assign(self, message: wire.Assign) -> None:
        """Execute tasks; those that were seen before are left."""
        holding = self._link.holdings.get(message.allocation_id)
        tasks = downward.tasks(message)
        if holding is None or holding.phase in (Phase.CLOSING, Phase.ENDED):
            self._leave(tasks, "environment", f"allocation {message.allocation_id} is not open on this worker")
            return
        if self.spent:
            self._leave(tasks, "host_lost", self.spent)
            return
        late = [task for task in tasks if task.slot in holding.given_back]
        if late:
            # Of a leader that does not know of it, or no more: whoever has the slot now keeps it.
            self._leave(late, "preempted", "its slot was given back")
        fresh = self._link.holdings.assign(holding, [task for task in tasks if task.slot not in holding.given_back])
        instant = self._openings.instants.get(holding.allocation)
        if instant is not None:
            instant.execute(self._link, holding, fresh)
            self._wake()
        elif holding.phase is Phase.READY:
            self._shim.send(*[downward.run_line(holding.allocation, task) for task in fresh])
        else:
            holding.early.extend(fresh)

    def ready(self, holding: Holding) -> None:
        """The runner has collected: hand over what came early."""
        holding.advance(Phase.READY)
        early, holding.early = holding.early, []
        self._shim.send(*[downward.run_line(holding.allocation, task) for task in early])

    def no_more(self, message: wire.NoMoreTasks) -> None:
        """Nothing follows on these slots."""
        holding = self._link.holdings.get(message.allocation_id)
        if holding is None:
            return
        holding.wanting.difference_update(message.slots)
        holding.early = [replace(task, last=task.last or task.slot in message.slots) for task in holding.early]
        if holding.phase is Phase.READY and holding.allocation not in self._openings.instants:
            self._shim.send(*[downward.last_line(holding.allocation, slot) for slot in message.slots])

    def cancel(self, attempts: Iterable[int], grace: float) -> None:
        """End attempts; those that have not reached the shim end at once."""
        reached = []
        for attempt in attempts:
            holding = self._link.holdings.of(attempt)
            early = next((task for task in holding.early if task.attempt == attempt), None) if holding else None
            if holding and early:
                holding.early.remove(early)
                self._leave([early], "cancelled", "cancelled before it began")
            elif holding and attempt not in holding.finished:
                reached.append(attempt)
        if reached:
            self._shim.send(downward.cancel_line(reached, grace))

    def close(self, allocation: str) -> None:
        """Give an allocation back."""
        holding = self._link.holdings.get(allocation)
        if holding is None:
            self._link.ended(allocation, upward.ended(allocation, "done", "it was not held"))
        elif self._openings.cancel(allocation) or allocation in self._openings.instants:
            self._openings.end(allocation, "done", "")
        elif holding.phase is not Phase.ENDED:
            holding.advance(Phase.CLOSING)
            self._shim.send(downward.close_line(allocation))
        self._wake()

    def preempt(self, message: wire.PreemptNotice) -> None:
        """An allocation is given back soon: let nothing more begin there."""
        holding = self._link.holdings.get(message.allocation_id)
        if holding is not None and holding.phase is Phase.READY and holding.allocation not in self._openings.instants:
            self._shim.send(downward.preempt_line(holding.allocation, message.seconds))

    def close_slots(self, message: wire.CloseSlots) -> None:
        """Give single slots of an allocation back."""
        holding = self._link.holdings.get(message.allocation_id)
        if holding is None or holding.phase in (Phase.CLOSING, Phase.ENDED):
            return  # that it has ended as a whole is told already, or will be
        if holding.allocation in self._openings.instants:
            self.slots_closed(holding, message.slots)
        elif holding.phase is Phase.PREPARING:
            holding.to_close.update(message.slots)
        else:
            self._shim.send(downward.close_slots_line(holding.allocation, message.slots))

    def slots_closed(self, holding: Holding, slots: Iterable[int]) -> None:
        """Slots are free: their processes have ended."""
        holding.given_back.update(slots)
        holding.wanting.difference_update(slots)
        self._say_closed(holding, slots)
        self._wake()

    def _say_closed(self, holding: Holding, slots: Iterable[int]) -> None:
        self._link.say(facts.slots_closed(holding.allocation, sorted(slots)), allocation=holding.allocation)

    def _leave(self, tasks: Iterable[Task], cause: str, message: str) -> None:
        for task in tasks:
            line = {"attempt": task.attempt, "cause": cause, "message": message, "left": task.cases}
            self._link.finished(task.attempt, upward.attempt_finished(line))
        self._wake()

    def _collect_again(self, holding: Holding) -> None:
        instant = self._openings.instants.get(holding.allocation)
        if instant is not None:
            instant.collect(self._link, holding.allocation)
        else:
            self._shim.send({"op": "collection", "allocation": holding.allocation})

    def _cut(self, sequence: int) -> None:
        if sequence:
            self._shim.send({"op": "ack", "sequence": sequence})
