"""Which workers a request can ever use: kept over cycles, looked at again only where a worker changed."""

from collections.abc import Iterable

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.explain import Explanation, explain
from crossfleet.matching.fit import Eligible, eligible, place
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.snapshot import Snapshot

_MAX_REQUESTS = 2048

_Places = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]


class Row:
    """The ready workers that satisfy one request when idle, and how many slots of it each has room for."""

    def __init__(self, request: Request, selectors: Selectors) -> None:
        """Start with no worker looked at."""
        self.request = request
        self.able: dict[str, Eligible] = {}
        self._selectors = selectors
        self._rooms: dict[str, tuple[Free, int]] = {}
        self._seen: dict[str, _Places | None] = {}
        self._by_name = _uses_name(request, selectors)

    def look(self, name: str, worker: WorkerView | None) -> None:
        """Look at a worker that is new, changed or gone (None)."""
        self._rooms.pop(name, None)
        found = self._eligible(worker) if worker is not None and worker.state is WorkerState.READY else None
        if found is None:
            self.able.pop(name, None)
        else:
            self.able[name] = found

    def room(self, worker: WorkerView, free: Free) -> int:
        """How many slots fit in what is free; counted again only when that is another value than last time."""
        known = self._rooms.get(worker.name)
        if known is not None and known[0] is free:
            return known[1]
        slots = 0
        if free.slots > 0:
            placed = place(self.request, worker, free, self.able[worker.name])
            slots = placed.slots if isinstance(placed, Fit) else 0
        self._rooms[worker.name] = (free, slots)
        return slots

    def _eligible(self, worker: WorkerView) -> Eligible | None:
        """As matching says; once for all workers with one signature, since a large fleet has few of them."""
        if self._by_name:
            found = eligible(self.request, worker, self._selectors)
            return found if isinstance(found, Eligible) else None
        if worker.signature not in self._seen:
            found = eligible(self.request, worker, self._selectors)
            self._seen[worker.signature] = _places(found, worker) if isinstance(found, Eligible) else None
        known = self._seen[worker.signature]
        if known is None:
            return None
        ids = tuple(tuple(worker.devices[at].id for at in places) for places in known[1])
        return Eligible(known[0], ids)


class Eligibility:
    """A row for each distinct request; and why nobody satisfies one. Only remembers: decides nothing."""

    def __init__(self, selectors: Selectors) -> None:
        """Start with nothing looked at."""
        self._selectors = selectors
        self._rows: dict[Request, Row] = {}
        self._explained: dict[Request, Explanation] = {}

    def refresh(self, snapshot: Snapshot) -> None:
        """Take over the workers that changed since the last time, and forget requests that nobody has."""
        changed = sorted(snapshot.changed_workers)
        if changed:
            snapshot.changed_workers = set()
            known = self._selectors.learned
            self._selectors.learn(snapshot.workers[name] for name in changed if name in snapshot.workers)
            self._explained.clear()
            if self._selectors.learned > known:
                self._rows.clear()  # A selector that was refused as a slip may be right now.
            for row in self._rows.values():
                _look(row, snapshot, changed)
        if len(self._rows) > _MAX_REQUESTS:
            self._rows.clear()
            self._explained.clear()

    def row(self, request: Request, snapshot: Snapshot) -> Row:
        """The ready workers that satisfy a request when idle, and with which devices."""
        row = self._rows.get(request)
        if row is None:
            row = self._rows[request] = Row(request, self._selectors)
            _look(row, snapshot, snapshot.workers)
        return row

    def explanation(self, request: Request, snapshot: Snapshot) -> Explanation:
        """What matching says of a request and this whole fleet."""
        found = self._explained.get(request)
        if found is None:
            workers = [snapshot.workers[name] for name in sorted(snapshot.workers)]
            found = self._explained[request] = explain(request, workers, self._selectors)
        return found


def _look(row: Row, snapshot: Snapshot, names: Iterable[str]) -> None:
    for name in names:
        row.look(name, snapshot.workers.get(name))


def _places(found: Eligible, worker: WorkerView) -> _Places:
    """The same by position: workers of one signature have the same devices in the same order."""
    at = {device.id: index for index, device in enumerate(worker.devices)}
    return found.counts, tuple(tuple(at[one] for one in ids) for ids in found.candidates)


def _uses_name(request: Request, selectors: Selectors) -> bool:
    try:
        texts = [request.selector, *(demand.selector for demand in request.devices)]
        return any(selectors.compile(text).uses_worker_name for text in texts)
    except SelectorError:
        return True
