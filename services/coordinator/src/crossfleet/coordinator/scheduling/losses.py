"""Groups that a scheduler does not get placed: after some of its plans came to nothing the fallback decides for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.core.answers import Refusal

MOST_LOST = 5


class Losses:
    """One fault of its own costs a scheduler the group; so do some plans in a row of which others had left nothing.

    So each group is placed however quick or wrong its scheduler is, also before the breaker opens.
    """

    def __init__(self, give_up: Callable[[str, str], None]) -> None:
        """`give_up` is called with a group for which the scheduler is to decide no more, and why."""
        self._lost: Counter[str] = Counter()
        self._give_up = give_up

    def count(
        self, message: scheduler_pb2.ScheduleResponse, refused: Sequence[Refusal], faults: frozenset[int]
    ) -> None:
        """A plan was judged; `faults` are the indices of what could not hold by what the scheduler knew."""
        indices = {one.index for one in refused}
        won = {one.group_id for index, one in enumerate(message.allocate) if index not in indices}
        for group_id in won:
            self._lost.pop(group_id, None)
        at_fault: dict[str, str] = {}
        for one in refused:
            group_id = message.allocate[one.index].group_id
            if one.index in faults:
                at_fault.setdefault(group_id, f"proposed for it what could not hold: {one.reason}: {one.text}")
        lost = {message.allocate[one.index].group_id for one in refused} - won - at_fault.keys()
        for group_id in sorted(lost):
            self._lost[group_id] += 1
            if self._lost[group_id] >= MOST_LOST:
                at_fault[group_id] = f"was too slow for it: others had taken what {MOST_LOST} of its plans proposed"
        for group_id, cause in at_fault.items():
            self.forget(group_id)
            self._give_up(group_id, cause)

    def forget(self, group_id: str) -> None:
        """The group is over, or another scheduler's."""
        self._lost.pop(group_id, None)
