"""Groups of which a scheduler was told and has said nothing: it neither proposed anything for them nor said why they wait."""

from __future__ import annotations

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2

ANSWERED_SECONDS = 2.0
UNANSWERED_SECONDS = 10.0


class Unsaid:
    """What was said on one stream. Times are seconds of one clock that never goes back.

    A group that is shown again keeps its time; one for which something is proposed begins anew, as the proposal may be refused.
    """

    def __init__(self) -> None:
        """Nothing was told."""
        self.begin()

    def begin(self) -> None:
        """A new stream: nothing was told, and nothing said."""
        self._shown: dict[str, tuple[int, float]] = {}
        self._answered = 0

    def __bool__(self) -> bool:
        """Whether there are groups of which nothing was said."""
        return bool(self._shown)

    def told(self, update: scheduler_pb2.ScheduleRequest, now: float) -> None:
        """An update goes out."""
        whole = update.HasField("snapshot")
        rows = update.snapshot.groups if whole else update.delta.groups
        before, gone = self._shown, update.delta.removed_group_ids
        if whole:
            self._shown = {row.group_id: before[row.group_id] for row in rows if row.group_id in before}
        for row in rows:
            if row.wanted_slots > 0:
                self._shown.setdefault(row.group_id, (update.revision, now))
            else:
                self._shown.pop(row.group_id, None)
        for group_id in gone:
            self._shown.pop(group_id, None)

    def heard(self, plan: scheduler_pb2.ScheduleResponse, now: float) -> None:
        """A plan came in."""
        if not plan.request_snapshot:
            self._answered = max(self._answered, plan.base_revision)
        for proposal in plan.allocate:
            if proposal.group_id in self._shown:
                self._shown[proposal.group_id] = plan.base_revision, now
        for reason in plan.waiting:
            self._shown.pop(reason.group_id, None)

    def overdue(self, now: float) -> dict[str, bool]:
        """The groups of which a word is due, and of each whether the scheduler has answered since it was told of it."""
        found = {}
        for group_id, (revision, since) in self._shown.items():
            answered = revision <= self._answered
            if now - since >= (ANSWERED_SECONDS if answered else UNANSWERED_SECONDS):
                found[group_id] = answered
        return found
