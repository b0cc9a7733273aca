"""What the coordinator has put on this worker: allocations, their attempts, and the slots that want more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Phase(Enum):
    """Where an allocation stands. It moves only forward."""

    PREPARING = "preparing"
    COLLECTING = "collecting"
    READY = "ready"
    CLOSING = "closing"
    ENDED = "ended"


_ORDER = list(Phase)


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt, as it was assigned: cases by index in the collection, in the order of execution.

    `limits` are their time limits in seconds, where they have their own.
    """

    attempt: int
    slot: int
    cases: tuple[int, ...]
    last: bool = False
    limits: tuple[float, ...] = ()


@dataclass(slots=True)
class Holding:
    """One allocation on this worker.

    `attempts` maps each attempt to its slot, until its end was acknowledged; `finished` are those that have ended.
    `early` are tasks that came before the runner was ready. `given_back` are slots that it has no more, `to_close` those
    that are to be given back when the shim has the allocation.
    """

    allocation: str
    slots: tuple[int, ...]
    phase: Phase = Phase.PREPARING
    attempts: dict[int, int] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    wanting: set[int] = field(default_factory=set)
    early: list[Task] = field(default_factory=list)
    served: bool = False
    given_back: set[int] = field(default_factory=set)
    to_close: set[int] = field(default_factory=set)

    @property
    def open_slots(self) -> list[int]:
        """Slots that were not given back."""
        return [slot for slot in self.slots if slot not in self.given_back]

    @property
    def running(self) -> list[int]:
        """Attempts that have not finished."""
        return [attempt for attempt in self.attempts if attempt not in self.finished]

    def advance(self, phase: Phase) -> None:
        """Move to `phase`, unless the allocation is there or further."""
        if _ORDER.index(phase) > _ORDER.index(self.phase):
            self.phase = phase


class Holdings:
    """All allocations of this worker. Each attempt is accepted once."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held: dict[str, Holding] = {}
        self.taken = 0
        """How many allocations were ever opened here."""
        self._owner: dict[int, Holding] = {}

    def __len__(self) -> int:
        """How many allocations are held."""
        return len(self._held)

    def get(self, allocation: str) -> Holding | None:
        """The allocation, where it is held."""
        return self._held.get(allocation)

    def of(self, attempt: int) -> Holding | None:
        """The allocation of an attempt."""
        return self._owner.get(attempt)

    def all(self) -> Iterable[Holding]:
        """Every allocation, oldest first."""
        return tuple(self._held.values())

    def open(self, allocation: str, slots: Sequence[int]) -> Holding | None:
        """Take an allocation; nothing where it is held already."""
        if allocation in self._held:
            return None
        holding = Holding(allocation, tuple(slots))
        self._held[allocation] = holding
        self.taken += 1
        return holding

    def assign(self, holding: Holding, tasks: Iterable[Task]) -> list[Task]:
        """Take tasks; answers those that were not known before."""
        fresh = []
        for task in tasks:
            if task.attempt not in self._owner:
                self._owner[task.attempt] = holding
                holding.attempts[task.attempt] = task.slot
                holding.wanting.discard(task.slot)
                fresh.append(task)
        holding.served = holding.served or bool(fresh)
        return fresh

    def adopt(
        self,
        allocation: str,
        slots: Sequence[int],
        left: Iterable[int],
        attempts: Iterable[tuple[int, int]],
        wanting: Iterable[int],
    ) -> Holding:
        """Take over what a living shim holds, which has the slots that are `left`; `attempts` are pairs of attempt and slot."""
        holding = self._held.setdefault(allocation, Holding(allocation, tuple(slots)))
        holding.given_back.update(set(holding.slots).difference(left))
        for attempt, slot in attempts:
            holding.attempts[attempt] = slot
            self._owner[attempt] = holding
        holding.wanting.update(wanting)
        holding.served = bool(holding.attempts)
        return holding

    def finish(self, attempt: int) -> bool:
        """Note the end of an attempt. False: it is unknown or had ended."""
        holding = self._owner.get(attempt)
        if holding is None or attempt in holding.finished:
            return False
        holding.finished.add(attempt)
        return True

    def confirm_attempt(self, attempt: int) -> None:
        """The end of an attempt was committed: forget it."""
        holding = self._owner.pop(attempt, None)
        if holding is not None:
            holding.attempts.pop(attempt, None)
            holding.finished.discard(attempt)

    def confirm_allocation(self, allocation: str) -> None:
        """The end of an allocation was committed: forget it."""
        holding = self._held.pop(allocation, None)
        for attempt in holding.attempts if holding else ():
            self._owner.pop(attempt, None)

    def sort(self, keep: Iterable[str], cancel: Iterable[int]) -> tuple[list[str], list[int]]:
        """What a Welcome asks for: allocations to close and attempts to cancel, of those that still go on.

        Attempts of an allocation that is not kept are cancelled too.
        """
        kept = set(keep)
        doomed = set(cancel)
        close = [one for one in self._held.values() if one.allocation not in kept and one.phase is not Phase.ENDED]
        for holding in close:
            doomed.update(holding.attempts)
        running = [
            attempt for attempt in doomed if (owner := self._owner.get(attempt)) and attempt not in owner.finished
        ]
        return [holding.allocation for holding in close], sorted(running)
