"""The fleet and its queue as the scheduler knows them, fed by deltas."""

from collections.abc import Iterable, Mapping

from crossfleet.matching.model import WorkerView
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Share

_NOTHING: Mapping[str, Allocation] = {}
_NO_IDS: frozenset[str] = frozenset()
_SEVERAL = 2


class Snapshot:
    """Rows by id. ``changed_workers`` and ``changed_groups`` are those whose row, or whose hold, changed since
    whoever plans took them; ``renewed_workers`` those whose row did.

    ``holding`` has allocations and proposals by group. ``proposed`` are allocations that were proposed and not answered yet: they count as held. ``revoked`` are those that
    are to be given back: they count as held until they are gone. ``on_host`` has the workers of each host, ready or not;
    ``crowded`` are the hosts that have several.
    """

    def __init__(self, revision: int = 0) -> None:
        """Start empty."""
        self.revision = revision
        self.workers: dict[str, WorkerView] = {}
        self.groups: dict[str, Group] = {}
        self.allocations: dict[str, Allocation] = {}
        self.proposed: dict[str, Allocation] = {}
        self.shares: dict[str, Share] = {}
        self.revoked: set[str] = set()
        self.changed_workers: set[str] = set()
        self.changed_groups: set[str] = set()
        self.renewed_workers: set[str] = set()
        self._held_on: dict[str, dict[str, Allocation]] = {}
        self.holding: dict[str, dict[str, Allocation]] = {}
        self.on_host: dict[str, dict[str, None]] = {}
        self.crowded: set[str] = set()
        self._sharing: dict[str, dict[str, list[str]]] = {}

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
            before = self.workers.pop(worker_id, None)
            if before is not None:
                self._settle_host(before, None)
                self._renew(worker_id)
        for group_id in delta.removed_groups:
            self._mark_holders(group_id, None)
            self.groups.pop(group_id, None)
            self.changed_groups.add(group_id)
        for allocation_id in delta.removed_allocations:
            self._release(self.allocations.pop(allocation_id, None))
            self.revoked.discard(allocation_id)
        for worker in delta.workers:
            before = self.workers.get(worker.name)
            if before != worker:  # Most news of a worker is only that it lives.
                self.workers[worker.name] = worker
                self._settle_host(before, worker)
                self._renew(worker.name)
        for group in delta.groups:
            if group.id in self.holding:
                self._mark_holders(group.id, group)
            self.groups[group.id] = group
        self.changed_groups.update([group.id for group in delta.groups])
        for allocation in delta.allocations:
            self._release(self.allocations.get(allocation.id))
            self.allocations[allocation.id] = allocation
            self._hold(allocation)
        for share in delta.shares:
            self.shares[share.project] = share

    def propose(self, allocation: Allocation) -> None:
        """Count an unanswered proposal as held."""
        self.proposed[allocation.id] = allocation
        self._hold(allocation)

    def settle(self, allocation_id: str) -> None:
        """Forget a proposal: it was answered, or never will be."""
        self._release(self.proposed.pop(allocation_id, None))

    def held_on(self, worker_id: str) -> Iterable[Allocation]:
        """Allocations and proposals on a worker."""
        return self._held_on.get(worker_id, _NOTHING).values()

    def neighbours(self, worker_id: str) -> list[str]:
        """The other workers of its host, ready or not."""
        worker = self.workers.get(worker_id)
        names = self.on_host.get(worker.host, ()) if worker is not None else ()
        return [name for name in names if name != worker_id] if len(names) > 1 else []

    def sharing(self, worker_id: str) -> list[str]:
        """Those of them that offer some of its devices: who holds one there holds it here."""
        worker = self.workers.get(worker_id)
        if worker is None or worker.host not in self.crowded:
            return []
        found = self._sharing.get(worker.host)
        if found is None:
            found = self._sharing[worker.host] = self._sharers(worker.host)
        return found.get(worker_id, [])

    def shown(self, worker_id: str, held: Allocation) -> frozenset[str]:
        """The devices of a worker that an allocation on another one of its host holds."""
        worker, there = self.workers.get(worker_id), self.workers.get(held.worker_id)
        if not held.device_ids or worker is None or there is None:
            return _NO_IDS
        return worker.own_ids.intersection(held.device_ids) & there.own_ids

    def held_by(self, group_id: str) -> Iterable[Allocation]:
        """Allocations and proposals of a group."""
        return self.holding.get(group_id, _NOTHING).values()

    def _sharers(self, host: str) -> dict[str, list[str]]:
        """The workers of a host that offer a device which others of it offer too, each with these in the order of the host."""
        places = {name: place for place, name in enumerate(self.on_host[host])}
        offering: dict[str, list[str]] = {}
        for name in places:
            for device_id in self.workers[name].own_ids:
                offering.setdefault(device_id, []).append(name)
        found: dict[str, set[str]] = {}
        for names in offering.values():
            for name in names if len(names) >= _SEVERAL else ():
                found.setdefault(name, set()).update(names)
        return {name: sorted(others - {name}, key=places.__getitem__) for name, others in found.items()}

    def _settle_host(self, before: WorkerView | None, now: WorkerView | None) -> None:
        """A worker is on another host than before, or shows other devices there, or is new, or is gone."""
        if before is not None and now is not None and before.host == now.host:
            if now.host in self.crowded and before.own_ids != now.own_ids:
                self._sharing.pop(now.host, None)
                self.changed_workers.update(self.on_host[now.host])
            return
        if before is not None and before.host:
            self._sharing.pop(before.host, None)
            names = self.on_host[before.host]
            self.changed_workers.update(names)
            del names[before.name]
            if len(names) < _SEVERAL:
                self.crowded.discard(before.host)
            if not names:
                del self.on_host[before.host]
        if now is not None and now.host:
            self._sharing.pop(now.host, None)
            names = self.on_host.setdefault(now.host, {})
            names[now.name] = None
            if len(names) >= _SEVERAL:
                self.crowded.add(now.host)

    def _renew(self, worker_id: str) -> None:
        self.changed_workers.add(worker_id)
        self.renewed_workers.add(worker_id)

    def _mark_holders(self, group_id: str, group: Group | None) -> None:
        """What its workers lack depends on what a group asked for, and for whom."""
        before = self.groups.get(group_id)
        if (before and (before.request, before.project)) != (group and (group.request, group.project)):
            self.changed_workers.update(held.worker_id for held in self.held_by(group_id))

    def _hold(self, allocation: Allocation) -> None:
        self._held_on.setdefault(allocation.worker_id, {})[allocation.id] = allocation
        self.holding.setdefault(allocation.group_id, {})[allocation.id] = allocation
        self._note(allocation)

    def _release(self, allocation: Allocation | None) -> None:
        if allocation is None:
            return
        _take_out(self._held_on, allocation.worker_id, allocation.id)
        _take_out(self.holding, allocation.group_id, allocation.id)
        self._note(allocation)

    def _note(self, allocation: Allocation) -> None:
        self.changed_workers.add(allocation.worker_id)
        self.changed_groups.add(allocation.group_id)


def _take_out(index: dict[str, dict[str, Allocation]], key: str, allocation_id: str) -> None:
    rows = index.get(key)
    if rows is not None:
        rows.pop(allocation_id, None)
        if not rows:
            del index[key]
