"""Fits for a scheduler that wants them, by what is true of a check. Pure."""

from __future__ import annotations

from collections.abc import Collection

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import (
    WAITING_KIND_LATER,
    WAITING_KIND_NEVER,
    Candidate,
    Fit,
    Snapshot,
    Waiting,
)
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY, Worker
from crossfleet.client.conformance.judging import SHARED, Books, amounts, demands, millicores, unsuited, usable
from crossfleet.client.conformance.rows import Wish
from crossfleet.client.conformance.truth import Truth


def add_fits(snapshot: Snapshot, truth: Truth) -> None:
    """Add which workers fit what the groups of a snapshot ask for, and what is free of each."""
    books, workers = Books(truth), [*truth.workers.values()]
    numbers: dict[object, int] = {}
    for row in snapshot.groups:
        if row.wanted_slots > 0:
            wish = truth.groups[row.group_id]
            asked = row.request.SerializeToString(deterministic=True)
            key = (row.selector, asked, row.runner, wish.workers, wish.devices)
            if key not in numbers:
                numbers[key] = len(numbers) + 1
                snapshot.fits[numbers[key]].CopyFrom(_fit(wish, workers))
            row.fit = numbers[key]
    for one in workers:
        snapshot.free[one.worker_id].CopyFrom(books.free(one))


def _fit(wish: Wish, workers: Collection[Worker]) -> Fit:
    able = [found for one in workers if (found := _candidate(wish, one)) is not None]
    ready = [one for one, worker in able if worker.state == WORKER_STATE_READY]
    if able or not workers:
        waiting = Waiting(kind=WAITING_KIND_LATER, code="busy", text=f"{len(able)} of {len(workers)} workers would do")
    else:
        text = f"no worker of {len(workers)} does for {wish.group_id}"
        waiting = Waiting(kind=WAITING_KIND_NEVER, code="selector", text=text)
    return Fit(candidates=ready, waiting=waiting)


def _candidate(wish: Wish, worker: Worker) -> tuple[Candidate, Worker] | None:
    """What each slot of a group would take of a worker; None where it does not do, even when it is idle."""
    memory = wish.row.request.memory_bytes
    made = Candidate(worker_id=worker.worker_id, millicores=millicores(wish, worker), memory_bytes=memory)
    whole = made.millicores <= round(worker.cpu_cores * 1000) and memory <= worker.memory_bytes
    if unsuited(wish, worker) or not whole:
        return None
    for device_class, count in demands(wish):
        able = [one for one in worker.devices if usable(one, device_class, wish)]
        if len(able) < count:
            return None
        shared = [one.device_id for one in able if one.device_class == SHARED][:count]
        made.shared_device_ids.extend(shared)
        if count > len(shared):
            alone = (one.device_id for one in able if one.device_class != SHARED)
            takes = amounts(wish, device_class) if any(one.shareable for one in able) else {}
            made.choices.add(count=count - len(shared), device_ids=alone, takes=takes)
    made.choices.sort(key=lambda one: len(one.device_ids))
    return made, worker
