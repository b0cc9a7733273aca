"""What a scheduler may take back for nothing: a little. Whoever takes back all that it gives would keep runs from ever beginning."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.model import Allocation, State
from crossfleet.coordinator.core.outcomes import WorkerState

WINDOW_SECONDS = 60.0
MOST_WASTED = 5
"""Allocations that may be wasted within the window."""
_BARREN_SECONDS = 1.0

_Lane = list[tuple[int, int, str]]
"""Groups of a project that wait: priority, slots that they excuse, id. The most urgent is the last."""


class Revocations:
    """Of one scheduler; all times are seconds of one clock that never goes back.

    An allocation is wasted that is taken back before anything was done there, unless a group waits for which that may be: of a
    higher priority, or of another project. Each slot that such a group wants may need a whole host: within the window it excuses
    so many, and no more than the fleet has.
    """

    def __init__(self) -> None:
        """Nothing was taken back."""
        self._wasted: deque[float] = deque()
        self._excused: deque[tuple[float, str, int]] = deque()
        self._spent: Counter[str] = Counter()
        self._barren_until = 0.0

    def sort_out(
        self, state: State, allocation_ids: Iterable[str], now: float
    ) -> tuple[tuple[str, ...], tuple[Allocation, ...]]:
        """Which of some allocations may be taken back, and which may not, as too many were wasted."""
        self._forget(now)
        lanes: dict[str, _Lane] | None = None
        looks = now >= self._barren_until
        allowed, refused = [], []
        for name in dict.fromkeys(allocation_ids):
            allocation = state.allocations.get(name)
            if allocation is None or not _is_waste(state, allocation):
                allowed.append(name)
                continue
            if lanes is None:
                lanes = _waiting(state) if looks else {}
            if self._excuse(state, allocation, lanes, now):
                allowed.append(name)
            elif len(self._wasted) < MOST_WASTED:
                self._wasted.append(now)
                allowed.append(name)
            else:
                refused.append(allocation)
        if refused and looks:  # each look is at all groups, while everybody waits
            self._barren_until = now + _BARREN_SECONDS
        return tuple(allowed), tuple(refused)

    def _excuse(self, state: State, allocation: Allocation, lanes: dict[str, _Lane], now: float) -> bool:
        run = state.runs[allocation.run_id]
        for project, lane in lanes.items():
            while lane and self._spent[lane[-1][2]] >= lane[-1][1]:
                lane.pop()
            if lane and (project != run.project or lane[-1][0] > run.priority):
                group_id, slots = lane[-1][2], len(allocation.slots)
                self._spent[group_id] += slots
                self._excused.append((now, group_id, slots))
                return True
        return False

    def _forget(self, now: float) -> None:
        while self._wasted and self._wasted[0] <= now - WINDOW_SECONDS:
            self._wasted.popleft()
        while self._excused and self._excused[0][0] <= now - WINDOW_SECONDS:
            _, group_id, slots = self._excused.popleft()
            self._spent[group_id] -= slots
            if self._spent[group_id] <= 0:
                del self._spent[group_id]


def _is_waste(state: State, allocation: Allocation) -> bool:
    """Whether taking it back now would waste it: what executes goes on to its end, but within a grace. What a class protects stays."""
    standing = state.runs[allocation.run_id].policy.priority_class
    protected = standing is not None and not standing.preemptible
    ends = standing is None or standing.grace is None
    return not (allocation.proved or allocation.closing or protected or (allocation.live and ends))


def _waiting(state: State) -> dict[str, _Lane]:
    """By project, the groups that want slots."""
    hosts: Counter[str] = Counter()
    for one in state.workers.values():
        if one.state is not WorkerState.LOST:
            hosts[one.view.host or f"worker {one.worker_id}"] += one.view.slots_total
    most, largest = hosts.total(), max(hosts.values(), default=0)
    lanes: dict[str, _Lane] = {}
    for group in state.groups.values():
        wanted = 0 if group.over or group.held_back else view.wanted_slots(state, group)
        if wanted > 0:
            run = state.runs[group.run_id]
            lanes.setdefault(run.project, []).append((run.priority, min(wanted * largest, most), group.group_id))
    for lane in lanes.values():
        lane.sort()
    return lanes
