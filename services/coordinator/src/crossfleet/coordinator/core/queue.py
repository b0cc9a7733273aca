"""The pending cases of a group, by setup group, the longest first."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Iterable, Sequence


class SetupGroup:
    """Pending cases that share expensive fixtures, in collection order, and their estimated seconds.

    One that is not `splittable` is parted only for balance; one that is `bound`, never. `first` ones go before others.
    """

    __slots__ = ("bound", "cases", "first", "number", "seconds", "splittable", "version")

    def __init__(self, number: int, *, splittable: bool, bound: bool = False, first: bool = False) -> None:
        self.number = number
        self.bound = bound
        self.first = first
        self.cases: deque[int] = deque()
        self.seconds = 0.0
        self.splittable = splittable
        self.version = 0


class CaseQueue:
    """Pending cases of one task group. Cases without a setup group are ordered longest first instead.

    `seconds` is the estimated work of all pending cases, `longest` the longest estimate of any case ever put in.
    `exclusive` holds the pending cases that are to run beside no others: they belong to no setup group.
    """

    __slots__ = ("_group_of", "_heap", "_loose", "_setups", "count", "estimates", "exclusive", "longest", "seconds")

    def __init__(
        self,
        setup_keys: Sequence[str] = (),
        estimates: Sequence[float] = (),
        bound: Container[str] = (),
        first: Container[str] = (),
        exclusive: Container[int] = (),
    ) -> None:
        """All cases pending. `setup_keys[i]` is empty where case i shares nothing; `estimates` are seconds > 0.

        Setup groups whose key is in `bound` are never split, those whose key is in `first` go before others. `exclusive`
        are the cases that are to run beside no others.
        """
        self.estimates = list(estimates)
        self.count = 0
        self.seconds = 0.0
        self.longest = max(estimates, default=0.0)
        self._loose = SetupGroup(-1, splittable=True)
        self.exclusive = SetupGroup(-2, splittable=False)
        self._setups: list[SetupGroup] = []
        self._group_of: list[SetupGroup] = []
        self._heap: list[tuple[bool, float, int, int]] = []
        numbers: dict[str, SetupGroup] = {}
        for index, key in enumerate(setup_keys):
            if index in exclusive:
                self._group_of.append(self.exclusive)
                continue
            if not key:
                self._group_of.append(self._loose)
                continue
            setup = numbers.get(key)
            if setup is None:
                setup = numbers[key] = SetupGroup(
                    len(self._setups), splittable=False, bound=key in bound, first=key in first
                )
                self._setups.append(setup)
            self._group_of.append(setup)
        self.put(range(len(self.estimates)))

    @property
    def shareable(self) -> int:
        """Pending cases that may run beside others."""
        return self.count - len(self.exclusive.cases)

    def put(self, indices: Iterable[int]) -> None:
        """Cases become pending (again). A case must not be put twice."""
        changed: dict[SetupGroup, list[int]] = {}
        for index in indices:
            changed.setdefault(self._group_of[index], []).append(index)
        for setup, more in changed.items():
            if setup.splittable:
                setup.cases = deque(sorted([*setup.cases, *more], key=lambda i: (-self.estimates[i], i)))
            else:
                setup.cases = deque(sorted([*setup.cases, *more]))
            gained = sum(self.estimates[index] for index in more)
            setup.seconds += gained
            self.seconds += gained
            self.count += len(more)
            self._push(setup)

    def take(self, indices: Iterable[int]) -> None:
        """Cases are no longer pending. Raises ValueError for one that is not."""
        changed = set()
        for index in indices:
            setup = self._group_of[index]
            if setup.cases and setup.cases[0] == index:
                setup.cases.popleft()
            else:
                setup.cases.remove(index)
            setup.seconds -= self.estimates[index]
            self.seconds -= self.estimates[index]
            self.count -= 1
            changed.add(setup)
        for setup in changed:
            self._push(setup)
        if not self.count:
            # Sums of floats drift; nothing left is exactly nothing.
            self.seconds = 0.0

    def is_bound(self, index: int) -> bool:
        """Whether a case must stay on one slot with others."""
        return self._group_of[index].bound

    def clear(self) -> None:
        """Nothing is pending any more."""
        for setup in (*self._setups, self._loose, self.exclusive):
            setup.cases.clear()
            setup.seconds = 0.0
        self._heap.clear()
        self.count = 0
        self.seconds = 0.0

    def pending(self) -> list[int]:
        """All pending cases, in collection order."""
        return sorted(index for setup in (*self._setups, self._loose, self.exclusive) for index in setup.cases)

    def begun(self, index: int) -> SetupGroup | None:
        """The setup group of a case, where it shares anything and has cases left."""
        setup = self._group_of[index] if 0 <= index < len(self._group_of) else None
        return setup if setup is not None and setup.number >= 0 and setup.cases else None

    def largest(self, skip: set[int]) -> SetupGroup | None:
        """The setup group with the most estimated seconds left whose number is not in `skip`; `first` ones before others.

        Loose cases come after setup groups that are longer than their longest case.
        """
        heap = self._heap
        put_back = []
        found: SetupGroup | None = None
        while heap:
            _, _, number, version = heap[0]
            setup = self._setups[number]
            if version != setup.version or not setup.cases:
                heapq.heappop(heap)
            elif number in skip:
                put_back.append(heapq.heappop(heap))
            else:
                found = setup
                break
        for entry in put_back:
            heapq.heappush(heap, entry)
        loose = self._loose
        if found is not None and found.first:
            return found
        if loose.cases and -1 not in skip and (found is None or self.estimates[loose.cases[0]] > found.seconds):
            return loose
        return found

    def _push(self, setup: SetupGroup) -> None:
        setup.version += 1
        if not setup.cases:
            setup.seconds = 0.0
        elif setup.number >= 0:
            heapq.heappush(self._heap, (not setup.first, -setup.seconds, setup.number, setup.version))
