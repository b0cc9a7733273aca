"""Judges a snapshot for a scheduler that does not: which workers fit what its groups ask for, and what is free of each."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import device_pb2
from crossfleet.matching.deadlines import counts_from
from crossfleet.matching.explain import explain
from crossfleet.matching.fit import Eligible, eligible, place
from crossfleet.matching.free import Free, slot_millicores
from crossfleet.matching.kinds import kinds, particular
from crossfleet.matching.messages import portions_from, request_from, state_from, worker_from
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors

MOST_PAIRS = 50_000
"""Workers times requests of which one snapshot says anything. What is behind that in the queue gets no fit yet."""

_MOST_NEW = 2_000
"""Of these so many may be judged anew for one snapshot, since everybody waits meanwhile; others for the next."""

_MOST_EXPLAINED = 256
"""Workers and devices of which one request that none satisfies may be told clause by clause."""

_KINDS = {Wait.NEVER: scheduler_pb2.WAITING_KIND_NEVER, Wait.LATER: scheduler_pb2.WAITING_KIND_LATER}
_RANK = {code: rank for rank, code in enumerate(Code)}
_GONE = Request()

Failed = Callable[[str, Exception], None]
"""Told of a group whose request cannot be judged, and of what that raises."""
_Found = scheduler_pb2.Candidate | Misfit | None


@dataclass
class _Judged:
    """A request, what was found of each worker (None: it satisfies it, and takes no work now), and the fit that says so once
    all are judged."""

    found: dict[str, tuple[WorkerView, _Found]] = field(default_factory=dict)
    fit: scheduler_pb2.Fit | None = None


class Fits:
    """Fills snapshots of one stream, and remembers what has not changed between two of them."""

    def __init__(self, most_pairs: int = MOST_PAIRS, most_new: int = _MOST_NEW) -> None:
        """Nothing is known."""
        self._most_pairs, self._most_new = most_pairs, most_new
        self._left = 0
        self._selectors = Selectors()
        self._workers: dict[str, tuple[bytes, WorkerView]] = {}
        self._kinds: list[tuple[WorkerView, int]] | None = None
        self._requests: dict[bytes, Request] = {}
        self._judged: dict[Request, _Judged] = {}

    def add_to(self, snapshot: scheduler_pb2.Snapshot, failed: Failed | None = None) -> bool:
        """Give the groups that want slots their fits, and each worker what is free of it.

        Answers whether that is all: else fits lack workers that were not judged yet, and the next snapshot has more. A group
        that cannot be judged gets none, and `failed` is told; without it that is raised.
        """
        self._left = self._most_new
        views = self._views(snapshot.workers)
        requests = self._requests_of(snapshot.groups, failed or _raised)
        self._add_fits(snapshot, tuple(views.values()), requests, failed or _raised)
        _add_free(snapshot, views, requests)
        return self._left >= 0

    def _views(self, workers: Iterable[device_pb2.Worker]) -> dict[str, WorkerView]:
        """The workers, by name: the same objects as before where they have not changed."""
        before, self._workers = self._workers, {}
        for one in workers:
            text = one.SerializeToString(deterministic=True)
            known = before.get(one.worker_id)
            if known is None or known[0] != text:
                known = (text, worker_from(one, state_from(one.state)))
            self._workers[one.worker_id] = known
        views = {name: view for name, (_, view) in self._workers.items()}
        if self._workers != before:
            self._kinds = None
            learned = self._selectors.learned
            self._selectors.learn(views.values())
            for judged in self._judged.values():
                judged.fit = None
                if self._selectors.learned > learned:
                    judged.found.clear()
        return views

    def _requests_of(self, groups: Iterable[scheduler_pb2.TaskGroup], failed: Failed) -> dict[str, Request]:
        """What each group asks for; one object for all that ask for the same."""
        before, self._requests = self._requests, {}
        found = {}
        for group in groups:
            key = scheduler_pb2.TaskGroup(selector=group.selector, request=group.request, runner=group.runner)
            text = key.SerializeToString(deterministic=True)
            request = self._requests.get(text) or before.get(text)
            try:
                request = request or request_from(group.request, group.selector, group.runner)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one request, others are judged
                failed(group.group_id, error)
                continue
            found[group.group_id] = self._requests[text] = request
        return found

    def _add_fits(
        self,
        snapshot: scheduler_pb2.Snapshot,
        workers: Sequence[WorkerView],
        requests: dict[str, Request],
        failed: Failed,
    ) -> None:
        """In the order of the queue, as far as that may be judged in one snapshot."""
        numbers: dict[Request, int] = {}
        most = max(self._most_pairs // max(len(workers), 1), 1)
        for group in sorted(snapshot.groups, key=_turn):
            request = requests.get(group.group_id)
            number = numbers.get(request) if request is not None else None
            if request is None or group.wanted_slots <= 0 or (number is None and len(numbers) == most):
                continue
            if number is None:
                try:
                    fit = self._fit(request, workers)
                except Exception as error:  # noqa: BLE001 - as above
                    failed(group.group_id, error)
                    continue
                number = numbers[request] = len(numbers) + 1
                snapshot.fits[number].CopyFrom(fit)
            group.fit = number
        self._judged = {request: one for request, one in self._judged.items() if request in numbers}

    def _fit(self, request: Request, workers: Sequence[WorkerView]) -> scheduler_pb2.Fit:
        judged = self._judged.setdefault(request, _Judged())
        if judged.fit is not None:
            return judged.fit
        before, judged.found = judged.found, {}
        for one in workers:
            known = before.get(one.name)
            if known is None or known[0] is not one:
                self._left -= 1
                if self._left < 0:
                    continue
                known = (one, self._judge(request, one))
            judged.found[one.name] = known
        candidates = [one for _, one in judged.found.values() if isinstance(one, scheduler_pb2.Candidate)]
        if len(judged.found) < len(workers):
            text = f"{len(judged.found)} of {len(workers)} workers were looked at"
            waiting = scheduler_pb2.Waiting(kind=scheduler_pb2.WAITING_KIND_LATER, code="looking", text=text)
            return scheduler_pb2.Fit(candidates=candidates, waiting=waiting)
        if 0 < len(candidates) < request.gang:
            waiting = _too_few(request, [one for _, one in judged.found.values()])
        elif candidates:
            text = f"{len(candidates)} of {len(workers)} workers can take it once they are free"
            waiting = scheduler_pb2.Waiting(kind=scheduler_pb2.WAITING_KIND_LATER, code=Code.BUSY, text=text)
        else:
            waiting = self._why(request, list(judged.found.values()))
        fit = scheduler_pb2.Fit(candidates=candidates, waiting=waiting)
        if candidates or self._left >= 0:
            judged.fit = fit
        return fit

    def _judge(self, request: Request, worker: WorkerView) -> _Found:
        found = eligible(request, worker, self._selectors)
        if isinstance(found, Misfit):
            return found
        if request.gang > 1 and request.slots_min > 1:
            member = place(request, worker, Free.whole(worker), found, request.slots_min, 0)
            if isinstance(member, Misfit):
                return replace(member, wait=Wait.NEVER)
        return _candidate(request, worker, found) if worker.state is WorkerState.READY else None

    def _why(self, request: Request, found: Sequence[tuple[WorkerView, _Found]]) -> scheduler_pb2.Waiting:
        """Told of a few workers, as looking at clauses takes longer than judging: of those that would satisfy it, or will, and
        only where none does, of all kinds."""
        away = Counter(worker.state for worker, one in found if one is None)
        some = {worker.state: worker for worker, one in found if one is None}
        told = [(some[state], count) for state, count in away.items()]
        refused = [(worker, one) for worker, one in found if isinstance(one, Misfit)]
        told = told or [(worker, 1) for worker, one in refused if one.wait is Wait.LATER][:1]
        told = told or self._looked_at(request, [worker for worker, _ in found])
        if refused and not told:
            last = max((one for _, one in refused), key=lambda one: _RANK[one.code])
            text = f"no worker of {len(found)} can take it: {last.text}"
            return scheduler_pb2.Waiting(kind=scheduler_pb2.WAITING_KIND_NEVER, code=last.code, text=text)
        alike = {worker.name: count for worker, count in told}
        why = explain(request, [worker for worker, _ in told], self._selectors, alike)
        return scheduler_pb2.Waiting(kind=_KINDS[why.wait], code=why.code, text=why.text)

    def _looked_at(self, request: Request, workers: Sequence[WorkerView]) -> list[tuple[WorkerView, int]]:
        """Those on which the clauses of a request are counted, and how many are like each; none where they are too many."""
        if self._kinds is None:
            self._kinds = kinds(workers)
        chosen = [(one, 1) for one in workers] if particular(request, self._selectors) else self._kinds
        cost = sum(1 + len(one.devices) for one, _ in chosen)
        if cost > _MOST_EXPLAINED:
            return []
        self._left -= cost
        return chosen if self._left >= 0 else []


def _raised(_: str, error: Exception) -> None:
    raise error


def _too_few(request: Request, found: Sequence[_Found]) -> scheduler_pb2.Waiting:
    """A gang waits for workers that take work again; where these are too few as well, it never begins."""
    able = [one for one in found if not (isinstance(one, Misfit) and one.wait is Wait.NEVER)]
    never = len(able) < request.gang
    text = f"its gang needs {request.gang} workers at once; {len(able)} could take it"
    if not never:
        now = sum(isinstance(one, scheduler_pb2.Candidate) for one in able)
        text += f", of which {now} {'takes' if now == 1 else 'take'} work now"
    kind = scheduler_pb2.WAITING_KIND_NEVER if never else scheduler_pb2.WAITING_KIND_LATER
    return scheduler_pb2.Waiting(kind=kind, code="gang", text=text)


def _turn(group: scheduler_pb2.TaskGroup) -> tuple[int, float]:
    """The place of a group in the queue, the smallest first, whatever its project has."""
    return -group.priority, counts_from(group.submitted_unix_seconds, group.deadline_unix_seconds or math.inf)


def _candidate(request: Request, worker: WorkerView, found: Eligible) -> scheduler_pb2.Candidate:
    made = scheduler_pb2.Candidate(
        worker_id=worker.name, millicores=slot_millicores(request, worker), memory_bytes=request.memory_bytes
    )
    common: dict[str, None] = {}
    amounts = found.amounts or ((),) * len(found.counts)
    for count, ids, takes in zip(found.counts, found.candidates, amounts, strict=True):
        together = [one for one in ids if one in worker.shared_ids][:count]
        common.update(dict.fromkeys(together))
        if count > len(together):
            alone = (one for one in ids if one not in worker.shared_ids)
            made.choices.add(count=count - len(together), device_ids=alone, takes=dict(takes))
    made.shared_device_ids.extend(common)
    made.choices.sort(key=lambda one: len(one.device_ids))
    return made


def _add_free(snapshot: scheduler_pb2.Snapshot, views: dict[str, WorkerView], requests: dict[str, Request]) -> None:
    """What allocations leave of each worker, those of groups that are gone too."""
    left = {name: Free.whole(view) for name, view in views.items()}
    for one in snapshot.allocations:
        worker = views.get(one.worker_id)
        if worker is not None:
            request = requests.get(one.group_id, _GONE)
            held = tuple(one.device_ids), worker, portions_from(one.portions)
            left[worker.name] = left[worker.name].minus(request, one.slots, *held)
    hosts: dict[str, list[str]] = {}
    for name, view in views.items():
        hosts.setdefault(view.host or f"worker {name}", []).append(name)
    for host, names in hosts.items():
        for name in names:
            others = [other for other in names if other != name]
            free = left[name].beside(left[other] for other in others)
            for other in others:
                free = free.less_shown(left[other], views[other])
            snapshot.free[name].CopyFrom(
                scheduler_pb2.Free(
                    slots=free.slots,
                    millicores=free.cpu_millis,
                    memory_bytes=free.memory_bytes,
                    device_ids=(one.id for one in views[name].devices if one.id in free.devices and not one.shared),
                    host=host,
                    idle=free.untouched,
                    left=_rests(views[name], free),
                )
            )


def _rests(worker: WorkerView, free: Free) -> dict[str, scheduler_pb2.Rest]:
    """What is left of each shareable device that nobody has whole."""
    parts, found = dict(free.portions), {}
    for name, device in worker.shareable.items():
        if name in free.devices or name in parts:
            taken = dict(parts.get(name, ()))
            rest = {one: amount - taken.get(one, 0) for one, amount in device.capacities.items()}
            found[name] = scheduler_pb2.Rest(capacities=rest)
    return found
