"""The fleet and its queue as the scheduler knows them, fed by deltas."""

from collections.abc import Iterable

from crossfleet.matching.free import Free
from crossfleet.matching.model import Request, WorkerView
from crossfleet.scheduler.core.model import Allocation, Delta, Group

_UNKNOWN_REQUEST = Request()


class Snapshot:
    """Rows by id and what follows from them. What follows is kept until a row under it changes.

    ``proposed`` are allocations that were proposed and not answered yet: they count as held.
    """

    def __init__(self, revision: int = 0) -> None:
        """Start empty."""
        self.revision = revision
        self.workers: dict[str, WorkerView] = {}
        self.groups: dict[str, Group] = {}
        self.allocations: dict[str, Allocation] = {}
        self.proposed: dict[str, Allocation] = {}
        self.changed_workers: set[str] = set()
        self._held_on: dict[str, dict[str, Allocation]] = {}
        self._held_by: dict[str, dict[str, Allocation]] = {}
        self._free: dict[str, Free] = {}

    @classmethod
    def of(cls, rows: Delta, revision: int = 0) -> "Snapshot":
        """A snapshot that holds exactly these rows."""
        snapshot = cls(revision)
        snapshot.apply(rows, revision)
        return snapshot

    def apply(self, delta: Delta, revision: int) -> None:
        """Take over a delta. Ids that are removed twice, or were never there, do not matter."""
        self.revision = revision
        for worker_id in delta.removed_workers:
            self.workers.pop(worker_id, None)
            self._touch(worker_id)
        for group_id in delta.removed_groups:
            self._set_group(group_id, None)
        for allocation_id in delta.removed_allocations:
            self._release(self.allocations.pop(allocation_id, None))
        for worker in delta.workers:
            if self.workers.get(worker.name) != worker:  # Most news of a worker is only that it lives.
                self.workers[worker.name] = worker
                self._touch(worker.name)
        for group in delta.groups:
            self._set_group(group.id, group)
        for allocation in delta.allocations:
            self._release(self.allocations.get(allocation.id))
            self.allocations[allocation.id] = allocation
            self._hold(allocation)

    def propose(self, allocation: Allocation) -> None:
        """Count an unanswered proposal as held."""
        self.proposed[allocation.id] = allocation
        self._hold(allocation)

    def settle(self, allocation_id: str) -> None:
        """Forget a proposal: it was answered, or never will be."""
        self._release(self.proposed.pop(allocation_id, None))

    def free(self, worker_id: str) -> Free:
        """What nobody holds of a worker."""
        found = self._free.get(worker_id)
        if found is None:
            worker = self.workers[worker_id]
            found = Free.whole(worker)
            for held in self.held_on(worker_id):
                group = self.groups.get(held.group_id)
                request = group.request if group else _UNKNOWN_REQUEST
                found = found.minus(request, held.slots, held.device_ids, worker)
            self._free[worker_id] = found
        return found

    def held_on(self, worker_id: str) -> Iterable[Allocation]:
        """Allocations and proposals on a worker."""
        return self._held_on.get(worker_id, {}).values()

    def held_by(self, group_id: str) -> Iterable[Allocation]:
        """Allocations and proposals of a group."""
        return self._held_by.get(group_id, {}).values()

    def _set_group(self, group_id: str, group: Group | None) -> None:
        before = self.groups.pop(group_id, None)
        if group is not None:
            self.groups[group_id] = group
        if (before and before.request) != (group and group.request):
            for held in self.held_by(group_id):
                self._free.pop(held.worker_id, None)

    def _hold(self, allocation: Allocation) -> None:
        self._held_on.setdefault(allocation.worker_id, {})[allocation.id] = allocation
        self._held_by.setdefault(allocation.group_id, {})[allocation.id] = allocation
        self._free.pop(allocation.worker_id, None)

    def _release(self, allocation: Allocation | None) -> None:
        if allocation is None:
            return
        for index, key in ((self._held_on, allocation.worker_id), (self._held_by, allocation.group_id)):
            rows = index.get(key, {})
            rows.pop(allocation.id, None)
            if not rows:
                index.pop(key, None)
        self._free.pop(allocation.worker_id, None)

    def _touch(self, worker_id: str) -> None:
        self._free.pop(worker_id, None)
        self.changed_workers.add(worker_id)
