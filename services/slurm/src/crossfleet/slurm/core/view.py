"""What the coordinator has told: groups that want slots, and which workers are pilots of ours."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from crossfleet.matching.model import Request, WorkerView


@dataclass(frozen=True, slots=True)
class Group:
    """The tasks of one run with one target. ``wanted_slots`` is over and above what it holds. ``since`` when it counts as waiting
    is in seconds since 1970."""

    id: str
    request: Request = field(default_factory=Request)
    wanted_slots: int = 0
    collected: bool = False
    estimated_seconds: float = 0.0
    priority: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows of an update; ``whole``: they replace all that was known.

    ``workers`` are those of our pilots alone; of the others only the names matter. ``allocations``: group, slots and worker
    by id.
    """

    whole: bool = False
    groups: tuple[Group, ...] = ()
    removed_groups: tuple[str, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    others: tuple[str, ...] = ()
    removed_workers: tuple[str, ...] = ()
    allocations: Mapping[str, tuple[str, int, str]] = field(default_factory=dict)
    removed_allocations: tuple[str, ...] = ()


class View:
    """The rows by id, and since when a group wants what nobody gives it. Times are of one monotonic clock.

    ``joined``: workers of pilots, and since when. ``seen``: those and the ones that have left, as they came; ``used``: which
    of them got something.
    """

    def __init__(self) -> None:
        """Nothing told yet."""
        self.told = False
        self.groups: dict[str, Group] = {}
        self.joined: dict[str, float] = {}
        self.seen: dict[str, WorkerView] = {}
        self.used: set[str] = set()
        self._others: set[str] = set()
        self._allocations: dict[str, tuple[str, int, str]] = {}
        self._short: dict[str, float] = {}

    @property
    def has_workers(self) -> bool:
        """Whether there is any worker."""
        return bool(self.joined or self._others)

    def apply(self, changes: Changes, now: float) -> frozenset[str]:
        """Take an update in; answers the groups that got something by it."""
        if changes.whole:
            self._forget_all_but(changes)
            # Those that were there before may have been used before.
            self.used.update(worker.name for worker in changes.workers)
        self.told = True
        for name in changes.removed_workers:
            self.joined.pop(name, None)
            self._others.discard(name)
        for worker in changes.workers:
            self.joined.setdefault(worker.name, now)
            self.seen[worker.name] = worker
        self._others.update(changes.others)
        served = frozenset(group for one, (group, _, _) in changes.allocations.items() if one not in self._allocations)
        self._allocations.update(changes.allocations)
        self.used.update(worker for _, _, worker in changes.allocations.values() if worker in self.seen)
        for one in changes.removed_allocations:
            self._allocations.pop(one, None)
        self._update_groups(changes, served, now)
        return served

    def waiting(self, now: float, patience: float) -> list[Group]:
        """Groups that have wanted slots for ``patience`` seconds without getting any, in the order of their turn."""
        late = [self.groups[one] for one, since in self._short.items() if now - since >= patience]
        return sorted(late, key=lambda one: (-one.priority, one.since, one.id))

    def held(self) -> Counter[str]:
        """Slots that groups have."""
        found: Counter[str] = Counter()
        for group, slots, _ in self._allocations.values():
            found[group] += slots
        return found

    def forget_but(self, names: Collection[str]) -> None:
        """Of workers that are gone, remember only these."""
        kept = {*names, *self.joined}
        self.seen = {name: worker for name, worker in self.seen.items() if name in kept}
        self.used &= kept

    def _forget_all_but(self, changes: Changes) -> None:
        names = {worker.name for worker in changes.workers}
        self.joined = {name: at for name, at in self.joined.items() if name in names}
        self._others.clear()
        self._allocations = {one: held for one, held in self._allocations.items() if one in changes.allocations}
        ids = {group.id for group in changes.groups}
        self.groups.clear()
        self._short = {one: since for one, since in self._short.items() if one in ids}

    def _update_groups(self, changes: Changes, served: Iterable[str], now: float) -> None:
        for one in changes.removed_groups:
            self.groups.pop(one, None)
            self._short.pop(one, None)
        for group in changes.groups:
            self.groups[group.id] = group
            if group.wanted_slots > 0:
                self._short.setdefault(group.id, now)
            else:
                self._short.pop(group.id, None)
        for one in served:
            if one in self._short:
                self._short[one] = now
