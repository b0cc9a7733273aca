"""Gives single slots of an allocation back, which goes on with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

from crossfleet.worker.shim.host import Host


class Ending(Protocol):
    """A slot. ``on_idle`` is called when its process has ended and none follows."""

    on_idle: Callable[[], None]

    @property
    def alive(self) -> bool:
        """True while a process of it exists, or is being made."""


SlotT = TypeVar("SlotT", bound=Ending)


def close_slots(
    host: Host, allocation: str, slots: dict[int, SlotT], numbers: Iterable[int], end: Callable[[SlotT], None]
) -> None:
    """``end`` slots. Each leaves ``slots`` when its process has ended, and the agent is told.

    Of one that was given back before it is told again.
    """

    def gone(number: int) -> None:
        slots.pop(number, None)
        host.tell({"op": "slots_closed", "allocation": allocation, "slots": [number]})

    for number in numbers:
        slot = slots.get(number)
        if slot is not None:
            slot.on_idle = partial(gone, number)
            end(slot)
        if slot is None or (number in slots and not slot.alive):
            gone(number)
