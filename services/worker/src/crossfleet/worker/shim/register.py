"""The allocations of this shim, and what the agent may ask of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.allocation import PytestAllocation
from crossfleet.worker.shim.command import CommandAllocation, CommandSlot
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.slots import Slot
from crossfleet.worker.shim.spares import Spares

if TYPE_CHECKING:
    from crossfleet.worker.shim.enumerated import ProgramAllocation
    from crossfleet.worker.shim.programslots import ProgramSlot

    Allocation = PytestAllocation | CommandAllocation | ProgramAllocation
    AnySlot = Slot | CommandSlot | ProgramSlot

PROTOCOL = 1
"""Grows when an agent that knows only the number before would misunderstand what is said, or be misunderstood.

What every number has: attach, ack, cancel, close and stop; attached, result, finished and closed.
"""


class Register:
    """Obeys the agent. Orders that name nothing known are refused (KeyError) or, where a repeat is harmless, ignored."""

    def __init__(self, host: Host, boot: str, version: str, stop: Callable[[], None], *, spares: int) -> None:
        self._host = host
        self._boot = boot
        self._version = version
        self._stop = stop
        self._allocations: dict[str, Allocation] = {}
        self._spares = Spares(host, spares, lambda: bool(self._allocations))
        self._orders: dict[str, Callable[[Message], None]] = {
            "open": self._open,
            "run": self._run,
            "last": lambda m: self._slot(m).last(),
            "cancel": self._cancel,
            "collection": lambda m: self._find(m).send_collection(),
            "close": self._close,
            "close_slots": self._close_slots,
            "preempt": self._preempt,
            "inspect": self._inspect,
            "ack": self._acknowledge,
            "stop": lambda m: stop(),
            "attach": lambda m: None,
        }

    def obey(self, message: Message) -> None:
        """Do what one message says. Raises KeyError, TypeError or ValueError when it makes no sense."""
        order = self._orders.get(message["op"])
        if order is None:
            raise ValueError(f"unknown op {message['op']!r}")
        order(message)

    def describe(self) -> Message:
        """Return what "attached" says of this shim."""
        return {
            "boot": self._boot,
            "protocol": PROTOCOL,
            "version": self._version,
            "spares": self._spares.waiting,
            "allocations": [
                {
                    "allocation": allocation.name,
                    "runner": allocation.runner,
                    "state": allocation.state,
                    "slots": [slot.describe() for slot in allocation.slots.values()],
                }
                for allocation in self._allocations.values()
            ],
        }

    def kill_all(self) -> None:
        """End every process below this one, at once."""
        self._spares.close()
        for allocation in list(self._allocations.values()):
            allocation.kill()
        processes.kill_all_below()

    def _open(self, message: Message) -> None:
        name = str(message["allocation"])
        if name in self._allocations:
            return
        kind = message.get("runner")
        if kind == "pytest":
            allocation: Allocation = PytestAllocation(self._host, message, self._forget, self._spares)
        elif kind == "command":
            allocation = CommandAllocation(self._host, message, self._forget)
        elif kind == "program":
            from crossfleet.worker.shim.enumerated import ProgramAllocation  # an idle shim does without dataclasses

            allocation = ProgramAllocation(self._host, message, self._forget)
        else:
            raise ValueError(f"open: runner {kind!r} is none of 'pytest', 'command' and 'program'")
        self._allocations[name] = allocation
        allocation.open()

    def _run(self, message: Message) -> None:
        try:
            slot = self._slot(message)
        except KeyError as error:
            # The agent did not know yet that the allocation had ended: its attempt ends as well.
            ended = {"op": "finished", "attempt": message["attempt"], "cause": "environment", "message": str(error)}
            self._host.record({**ended, "peak_memory_bytes": 0, "left": message["cases"]})
            return
        slot.run(message)

    def _cancel(self, message: Message) -> None:
        grace = float(message.get("grace") or 5)
        for allocation in list(self._allocations.values()):
            slots: list[AnySlot] = list(allocation.slots.values())
            for slot in slots:
                for number in message["attempts"]:
                    slot.cancel(int(number), grace)

    def _acknowledge(self, message: Message) -> None:
        self._host.journal.acknowledge(int(message["sequence"]))
        for allocation in self._allocations.values():
            if isinstance(allocation, PytestAllocation):
                allocation.brake.acknowledged(int(message["sequence"]))

    def _inspect(self, message: Message) -> None:
        """One answer an attempt, also for one that executes nothing."""
        slots = [slot for one in self._allocations.values() for slot in one.slots.values()]
        for number in message["attempts"]:
            answer: Message = {"op": "inspected", "request": message["request"], "attempt": int(number)}
            if not any(slot.inspect(message, answer) for slot in slots):
                self._host.tell(answer)

    def _close_slots(self, message: Message) -> None:
        """One that is closing as a whole, or has ended, says so itself."""
        allocation = self._allocations.get(str(message["allocation"]))
        if allocation is not None and allocation.state != "closing":
            allocation.close_slots([int(number) for number in message["slots"]])

    def _preempt(self, message: Message) -> None:
        """Programs go on until they are cancelled."""
        allocation = self._allocations.get(str(message["allocation"]))
        if isinstance(allocation, PytestAllocation | CommandAllocation) and allocation.state != "closing":
            allocation.preempt(float(message["seconds"]))

    def _close(self, message: Message) -> None:
        allocation = self._allocations.get(str(message["allocation"]))
        if allocation is not None:
            allocation.close()

    def _forget(self, name: str) -> None:
        self._allocations.pop(name, None)

    def _find(self, message: Message) -> Allocation:
        try:
            return self._allocations[str(message["allocation"])]
        except KeyError:
            raise KeyError(f"allocation {message['allocation']!r} is not open here") from None

    def _slot(self, message: Message) -> AnySlot:
        allocation = self._find(message)
        try:
            return allocation.slots[int(message["slot"])]
        except KeyError:
            raise KeyError(f"allocation {allocation.name!r} has no slot {message['slot']!r}") from None
