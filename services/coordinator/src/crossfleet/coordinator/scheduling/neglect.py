"""Groups that a scheduler neglects: it neither proposes anything for them nor says why they wait, though they could be placed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2

Placeable = Callable[[Iterable[str]], Iterator[str]]
"""Those of some groups, by id, that could be placed now."""

LEAST_SECONDS = 2.0
_DEADLINES = 2.0
_LOOKS = 4
_MOST_LOOKED_AT = 16


class Neglect:
    """What was said on one stream of each group that wants slots.

    Whoever keeps room for something else says so: a reason stands until the group gets something. What was proposed and
    is not judged yet is nobody's neglect.
    """

    def __init__(self, deadline: float, placeable: Placeable) -> None:
        """`deadline`: seconds for an answer. Whoever takes long to plan may also take long to come to a group."""
        self.seconds = max(LEAST_SECONDS, _DEADLINES * deadline)
        self._placeable = placeable
        self.begin()

    def begin(self) -> None:
        """A new stream: nothing was shown and nothing said."""
        self._unsaid: dict[str, None] = {}
        self._explained: set[str] = set()
        self._pending: set[str] = set()
        self._since: dict[str, float] = {}
        self._due: float | None = None

    @property
    def found(self) -> bool:
        """Whether at the last look some group could have been placed, of which nothing was said until now."""
        return bool(self._since)

    def due(self) -> float | None:
        """When to look next; None while there is a word about everybody."""
        return self._due if self._unsaid else None

    def told(self, update: scheduler_pb2.ScheduleRequest, now: float) -> None:
        """An update goes out."""
        rows = update.snapshot.groups if update.HasField("snapshot") else update.delta.groups
        if update.HasField("snapshot"):
            shown = {row.group_id for row in rows}
            self._forget([one for one in (*self._unsaid, *self._explained) if one not in shown])
        for row in rows:
            if row.wanted_slots <= 0:
                self._settle(row.group_id)
            elif row.group_id not in self._explained:
                self._unsaid.setdefault(row.group_id)
        self._forget(update.delta.removed_group_ids)
        if self._due is None and self._unsaid:
            self._due = now + self.seconds / _LOOKS

    def heard(self, plan: scheduler_pb2.ScheduleResponse) -> None:
        """A plan came in."""
        for reason in plan.waiting:
            if reason.group_id in self._unsaid:
                self._explained.add(reason.group_id)
                self._settle(reason.group_id)
        for proposal in plan.allocate:
            if proposal.group_id in self._unsaid or proposal.group_id in self._explained:
                self._pending.add(proposal.group_id)
                self._since.pop(proposal.group_id, None)

    def judged(self, plan: scheduler_pb2.ScheduleResponse, refused: Iterable[int]) -> None:
        """What it proposed was committed, but for these indices. Who got something, and was told no more, waits for a word again."""
        lost, told = frozenset(refused), {reason.group_id for reason in plan.waiting}
        for index, proposal in enumerate(plan.allocate):
            group_id = proposal.group_id
            self._pending.discard(group_id)
            if index not in lost and group_id not in told and group_id in self._explained:
                self._explained.discard(group_id)
                self._unsaid[group_id] = None

    def look(self, now: float) -> None:
        """See who could be placed of those that are neglected, and of some others by turns."""
        turns = list(islice(self._unsaid, _MOST_LOOKED_AT))
        for group_id in turns:
            self._unsaid[group_id] = self._unsaid.pop(group_id)
        some = [one for one in dict.fromkeys((*self._since, *turns)) if one not in self._pending]
        self._since = {one: self._since.get(one, now) for one in self._placeable(some)}
        self._due = now + self.seconds / _LOOKS

    def overdue(self, now: float) -> list[str]:
        """The groups that could be placed at every look for too long. Each is named once."""
        found = [one for one, since in self._since.items() if now - since >= self.seconds]
        self._forget(found)
        return found

    def _settle(self, group_id: str) -> None:
        """There is nothing more to be said of a group."""
        self._unsaid.pop(group_id, None)
        self._since.pop(group_id, None)

    def _forget(self, group_ids: Iterable[str]) -> None:
        for group_id in group_ids:
            self._settle(group_id)
            self._explained.discard(group_id)
