"""What facts refer to by number: ids of cases, attempts. Remembered from the facts themselves, else read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.ledger.queries import Queries

_GROUPS = 64
_ATTEMPTS = 100_000
_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt as it was assigned; `at` in unix seconds."""

    task_id: int
    worker_id: str
    slot: int
    cases: int
    at: float


class Known:
    """Bounded memory in front of state and SQL."""

    def __init__(self, queries: Queries, state: Callable[[], State]) -> None:
        """`state` answers the live state, which has all of what is open."""
        self._queries = queries
        self._state = state
        self._ids: OrderedDict[str, list[str]] = OrderedDict()
        self._attempts: OrderedDict[int, KnownAttempt] = OrderedDict()

    def learn(self, fact: facts.Event) -> None:
        """Remembers what later facts refer to."""
        if type(fact) is facts.TasksAssigned:
            for task in fact.tasks:
                known = KnownAttempt(task.task_id, fact.worker_id, task.slot, len(task.case_indices), fact.at)
                self._attempts[task.attempt_id] = known
            while len(self._attempts) > _ATTEMPTS:
                self._attempts.popitem(last=False)
        elif type(fact) is facts.CasesCollected and fact.cases:
            self._remember(fact.group_id, [case.case_id for case in fact.cases])
        elif type(fact) is facts.CasesAdded:
            self._ids.pop(fact.group_id, None)  # read anew: a resumed reader may know part of them already

    def _remember(self, group_id: str, ids: list[str]) -> None:
        self._ids[group_id] = ids
        while len(self._ids) > _GROUPS:
            self._ids.popitem(last=False)

    async def case_ids(self, run_id: str, group_id: str) -> list[str]:
        """All case ids of a group, by index."""
        ids = self._ids.get(group_id)
        if ids is None:
            group = self._state().groups.get(group_id)
            if group is not None and group.collected:
                ids = [*(case.case_id for case in group.cases), *group.added]
            else:
                ids = await self._read_ids(run_id, group_id.removeprefix(f"{run_id}/"))
            self._remember(group_id, ids)
        return ids

    async def _read_ids(self, run_id: str, target: str) -> list[str]:
        ids: list[str] = []
        after = None
        while rows := await self._queries.cases(run_id, target=target, after=after, limit=_PAGE):
            ids += [row.case_id for row in rows]
            after = (rows[-1].position, rows[-1].case_index)
        return ids

    async def attempt(self, run_id: str, attempt_id: int) -> KnownAttempt:
        """An attempt. One that nobody knows any more has empty fields."""
        found = self._attempts.get(attempt_id)
        if found is None:
            rows = await self._queries.attempts(run_id, after=attempt_id - 1, limit=1)
            if rows and rows[0].attempt_id == attempt_id:
                row = rows[0]
                found = KnownAttempt(row.task_id, row.worker_id, row.slot, row.cases, row.assigned_at)
        return found or KnownAttempt(0, "", 0, 0, 0.0)
