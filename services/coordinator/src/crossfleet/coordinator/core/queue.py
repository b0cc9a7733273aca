"""The pending cases of a group, by setup group, the longest first."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Container, Sequence
from math import inf

from crossfleet.coordinator.core.lengths import Lengths

_Heap = list[tuple[bool, float, int, int]]
# A group that is longer by more than this is begun first, though another one's package is set up already.
_NEARLY_AS_LARGE = 2.0


class SetupGroup:
    """Pending cases that share expensive fixtures, in collection order, and their estimated seconds.

    One that is not `splittable` is parted only for balance; one that is `bound`, never. `first` ones go before others.
    Those of one `folder` may share fixtures too: what is set up once for a package.
    """

    __slots__ = ("bound", "cases", "first", "folder", "number", "seconds", "splittable", "version")

    def __init__(
        self, number: int, *, splittable: bool, bound: bool = False, first: bool = False, folder: str = ""
    ) -> None:
        self.number = number
        self.folder = folder
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

    __slots__ = (
        "_bounds",
        "_folders",
        "_group_of",
        "_heap",
        "_lengths",
        "_loose",
        "_setups",
        "count",
        "estimates",
        "exclusive",
        "longest",
        "seconds",
    )

    def __init__(
        self,
        setup_keys: Sequence[str] = (),
        estimates: Sequence[float] = (),
        bound: Container[str] = (),
        first: Container[str] = (),
        exclusive: Collection[int] = (),
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
        self._folders: dict[str, _Heap] = {}
        self._group_of: list[SetupGroup] = []
        self._heap: _Heap = []
        self._bounds: _Heap = []
        self._lengths: Lengths | None = None
        self._sort_in(setup_keys, bound, first, exclusive)

    def _sort_in(
        self, keys: Sequence[str], bound: Container[str], first: Container[str], exclusive: Collection[int]
    ) -> None:
        """What `put` would do with all cases, in a third of the time: a suite may have a million of them."""
        setups = {"": self._loose}
        for key in dict.fromkeys(keys):
            if key:
                folder = key.partition("::")[0].rpartition("/")[0]
                setups[key] = setup = SetupGroup(
                    len(self._setups), splittable=False, bound=key in bound, first=key in first, folder=folder
                )
                self._setups.append(setup)
                self._folders.setdefault(folder, [])
        self._group_of = list(map(setups.__getitem__, keys))
        if exclusive:
            self._group_of = [self.exclusive if at in exclusive else one for at, one in enumerate(self._group_of)]
        for index, setup in enumerate(self._group_of):
            setup.cases.append(index)
        seconds_of = self.estimates.__getitem__
        self._loose.cases = deque(sorted(self._loose.cases, key=seconds_of, reverse=True))
        for setup in (*self._setups, self._loose, self.exclusive):
            setup.seconds = sum(map(seconds_of, setup.cases))
            self.seconds += setup.seconds
            self.count += len(setup.cases)
            self._push(setup)

    @property
    def shareable(self) -> int:
        """Pending cases that may run beside others."""
        return self.count - len(self.exclusive.cases)

    def put(self, indices: Sequence[int]) -> None:
        """Cases become pending (again). A case must not be put twice."""
        changed: dict[SetupGroup, list[int]] = {}
        if self._lengths is not None:
            self._lengths.put(filter(self._is_apart, indices))
        for index in indices:
            changed.setdefault(self._group_of[index], []).append(index)
        for setup, more in changed.items():
            if setup.splittable:
                # Sorted twice, since sorting is stable: equally long ones stay in their order.
                setup.cases = deque(sorted(sorted([*setup.cases, *more]), key=self.estimates.__getitem__, reverse=True))
            else:
                setup.cases = deque(sorted([*setup.cases, *more]))
            gained = sum(self.estimates[index] for index in more)
            setup.seconds += gained
            self.seconds += gained
            self.count += len(more)
            self._push(setup)

    def take(self, indices: Sequence[int]) -> None:
        """Cases are no longer pending. Raises ValueError for one that is not."""
        changed = set()
        if self._lengths is not None:
            self._lengths.take(indices)
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

    def _is_apart(self, index: int) -> bool:
        """Whether a case may be executed without the others of its setup group."""
        setup = self._group_of[index]
        return not setup.bound and setup is not self.exclusive

    def longest_case(self, at_most: float = inf, allowed: Container[int] | None = None) -> int:
        """The longest pending case of at most so many estimated seconds; -1 where there is none, or others go first.

        Bound and exclusive ones are left out.
        """
        if self._lengths is None:
            self._lengths = Lengths(self.estimates, filter(self._is_apart, self.pending()))
        found = self._first_of(self._heap, set())
        return -1 if found is not None and found.first else self._lengths.longest(at_most, allowed)

    def companion(self, case: int, at_most: float, allowed: Container[int] | None = None) -> int:
        """A short case to follow `case`, a pending one: of its setup group if possible, else the shortest. -1: none is so short."""
        setup = self._group_of[case]
        beside = (one for one in setup.cases if one > case and (allowed is None or one in allowed))
        found = next(beside, -1) if setup.number >= 0 else -1
        if (found < 0 or self.estimates[found] > at_most) and self._lengths is not None:
            found = self._lengths.shortest(allowed)
        return found if found >= 0 and found != case and self.estimates[found] <= at_most else -1

    @property
    def longest_bound(self) -> float:
        """Estimated seconds of the longest setup group that is not parted; zero without any."""
        found = self._first_of(self._bounds, set()) if self._bounds else None
        return found.seconds if found is not None else 0.0

    def clear(self) -> None:
        """Nothing is pending any more."""
        self._lengths = None
        for setup in (*self._setups, self._loose, self.exclusive):
            setup.cases.clear()
            setup.seconds = 0.0
        for heap in (self._heap, self._bounds, *self._folders.values()):
            heap.clear()
        self.count = 0
        self.seconds = 0.0

    def pending(self) -> list[int]:
        """All pending cases, in collection order."""
        return sorted(index for setup in (*self._setups, self._loose, self.exclusive) for index in setup.cases)

    def setup_of(self, index: int) -> SetupGroup | None:
        """The setup group of a case, where it shares anything."""
        setup = self._group_of[index] if 0 <= index < len(self._group_of) else None
        return setup if setup is not None and setup.number >= 0 else None

    def best_after(self, before: SetupGroup | None, skip: set[int]) -> SetupGroup | None:
        """The largest setup group whose number is not in `skip`; one of the folder of the one before where it is nearly as large."""
        found = self.largest(skip)
        if found is None or before is None or found.first or found.folder == before.folder:
            return found
        beside = self._first_of(self._folders[before.folder], skip)
        return beside if beside is not None and beside.seconds * _NEARLY_AS_LARGE >= found.seconds else found

    def largest(self, skip: set[int]) -> SetupGroup | None:
        """The setup group with the most estimated seconds left whose number is not in `skip`; `first` ones before others.

        Loose cases come after setup groups that are longer than their longest case.
        """
        found = self._first_of(self._heap, skip)
        loose = self._loose
        if found is not None and found.first:
            return found
        if loose.cases and -1 not in skip and (found is None or self.estimates[loose.cases[0]] > found.seconds):
            return loose
        return found

    def _first_of(self, heap: _Heap, skip: set[int]) -> SetupGroup | None:
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
        return found

    def _push(self, setup: SetupGroup) -> None:
        setup.version += 1
        if not setup.cases:
            setup.seconds = 0.0
        elif setup.number >= 0:
            entry = (not setup.first, -setup.seconds, setup.number, setup.version)
            heapq.heappush(self._heap, entry)
            heapq.heappush(self._folders[setup.folder], entry)
            if setup.bound:
                heapq.heappush(self._bounds, entry)
