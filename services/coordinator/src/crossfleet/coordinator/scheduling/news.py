"""In which update a scheduler last heard of each worker and group."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2

_MOST = 50_000
_KEPT_REVISIONS = 100


class News:
    """Revisions by worker and by group. What is older than is remembered counts as changed since."""

    def __init__(self) -> None:
        """Nothing was told."""
        self._revisions: dict[str, int] = {}
        self._floor = 0

    def told(self, update: scheduler_pb2.ScheduleRequest) -> None:
        """An update goes out."""
        revision, known = update.revision, self._revisions
        if update.HasField("snapshot"):
            known.clear()
            self._floor = revision
            return
        delta = update.delta
        known.update((one.worker_id, revision) for one in delta.workers)
        known.update((one.group_id, revision) for one in delta.groups)
        known.update((one.worker_id, revision) for one in delta.allocations)
        known.update((one, revision) for one in delta.removed_worker_ids)
        known.update((one, revision) for one in delta.removed_group_ids)
        if len(known) > _MOST:
            self._floor = revision - _KEPT_REVISIONS
            self._revisions = {one: at for one, at in known.items() if at > self._floor}

    def newer_than(self, base: int) -> Callable[[str], bool]:
        """Whether a scheduler that knows revision `base` has missed something of a worker or a group."""
        if base < self._floor:
            return lambda _: True
        known = self._revisions
        return lambda one: known.get(one, 0) > base
