"""Why groups wait: the scheduler's reasons, together with Slurm's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2

_CODE = "slurm"
_Told = tuple[int, str, str]


class Reasons:
    """Remembers what stands, so that only what changed is told. Each belongs to one stream.

    That no worker of the fleet can ever satisfy a group is not passed on while a pilot may: such a run would fail.
    """

    def __init__(self, could_serve: Callable[[str], bool], has_workers: Callable[[], bool]) -> None:
        """`could_serve`: whether a pilot may serve a group, by its id."""
        self._could_serve = could_serve
        self._has_workers = has_workers
        self._scheduler: dict[str, scheduler_pb2.Waiting] = {}
        self._slurm: dict[str, str] = {}
        self._told: dict[str, _Told] = {}

    def amend(self, plan: scheduler_pb2.ScheduleResponse) -> None:
        """The scheduler's plan, as it is to be passed on."""
        for row in plan.waiting:
            mine = scheduler_pb2.Waiting()
            mine.CopyFrom(row)
            self._scheduler[row.group_id] = mine
            told = self._reason(row.group_id)
            if told is not None:
                row.kind, row.code, row.text = scheduler_pb2.WaitingKind.ValueType(told[0]), told[1], told[2]
                self._told[row.group_id] = told

    def update(self, texts: Mapping[str, str], groups: Collection[str]) -> list[scheduler_pb2.Waiting]:
        """What Slurm says now, by group; answers what has to be told. Groups that are not among `groups` are over."""
        self._slurm = dict(texts)
        for known in (self._scheduler, self._told):
            for gone in known.keys() - groups:
                known.pop(gone)
        rows = []
        for group_id in self._scheduler.keys() | texts.keys():
            reason = self._reason(group_id)
            if group_id in groups and reason is not None and self._told.get(group_id) != reason:
                self._told[group_id] = reason
                kind = scheduler_pb2.WaitingKind.ValueType(reason[0])
                rows.append(scheduler_pb2.Waiting(group_id=group_id, kind=kind, code=reason[1], text=reason[2]))
        return rows

    def served(self, groups: Iterable[str]) -> None:
        """These groups got something: no reason of theirs stands any more."""
        for group_id in groups:
            for known in (self._scheduler, self._slurm, self._told):
                known.pop(group_id, None)

    def _reason(self, group_id: str) -> _Told | None:
        scheduler, slurm = self._scheduler.get(group_id), self._slurm.get(group_id, "")
        if slurm:
            more = f"; in the fleet: {scheduler.text}" if scheduler is not None and self._has_workers() else ""
            return scheduler_pb2.WAITING_KIND_LATER, _CODE, slurm + more
        if scheduler is None:
            return None
        never = scheduler.kind == scheduler_pb2.WAITING_KIND_NEVER
        if never and self._could_serve(group_id):
            return scheduler_pb2.WAITING_KIND_LATER, _CODE, f"Slurm is to be asked; in the fleet: {scheduler.text}"
        return scheduler.kind, scheduler.code, scheduler.text
