"""What is to come of a group's work, as far as its durations are known: how much each slot can still take on, and who ends first.

A slot gets its next task before it has done what it holds, so that it never waits for a message. What it is given then waits
behind that; a long case must not, while another slot would begin it earlier.
"""

from __future__ import annotations

import math

from crossfleet.coordinator.core import dispatcher
from crossfleet.coordinator.core.levelling import Load, level
from crossfleet.coordinator.core.model import Allocation, Group, Reckoned, Slot, State
from crossfleet.coordinator.core.outcomes import WorkerState

# A slot that ends so many seconds later than all could is early enough, and one that would end a case so many later than
# another does it all the same: a message costs about as much, and a process that is born anew more.
_TOLERANCE, _SOONER = 0.001, 0.005
# So much later than another one's a case may end on a slot that is idle: speeds are measured, and measured badly.
_WORTH_WAITING = 1.25
# What a slot of unknown speed gets first, of its share and in seconds: hosts may be unlike, and the longest cases are for
# the fast ones.
_PROBE = 0.01
_SHORTEST_PROBE, _LONGEST_PROBE = 0.002, 2.0
_GROWTH = 8.0
_FEW_UNTRIED = 4
# A slot that would end the longest case so much later than another one takes on only this part of what it could until then:
# speeds and the level are known roughly, and of two slots for which it just fits the faster one should have it.
_MUCH_SOONER, _RESERVE = 1.02, 0.93
# With more slots what was reckoned is kept for this part of the time that is left, seconds at the least and most, and the end is
# reckoned anew only after so many of them were given something: each look is at every slot.
_FEW_SLOTS = 64
_KEPT_PART, _KEPT_SECONDS, _MOST_KEPT = 0.02, 0.02, 1.0


class Outlook:
    """For one feeding. Speeds are summed at once; the rest is looked at where a piece may end late."""

    __slots__ = ("_group", "_now", "_reckoned", "_shift", "_state", "total")

    def __init__(self, state: State, group: Group, now: float) -> None:
        """`now` is in unix seconds. `total` is the sum of the speeds of all slots that work for the group, or soon will."""
        self._state, self._group, self._now = state, group, now
        found = self._reckoned = group.reckoned
        if found.slots <= _FEW_SLOTS or not found.since <= now < found.until:
            self._add_up(found)
        self._shift = now - found.since
        self.total = found.speed

    def part(self, slot: Slot) -> float:
        """Estimated seconds that a slot can take on, beside what it holds, without being the last to end.

        Where it is far from that, less than the truth, which is found sooner.
        """
        own = self._load(slot)
        queue = self._group.queue
        work = queue.seconds - queue.exclusive.seconds
        mean = work / self.total
        part = (mean - own.ahead) * own.speed
        whole = max(queue.longest, queue.longest_bound)
        if own.ahead > mean / 2 or whole > part * dispatcher.MOST_OF_A_PART:
            left = self._expected_end(work) - self._now + _TOLERANCE
            part = (left - own.ahead) * own.speed
            if self._leaves_the_longest(own):
                left = (self._reckoned.level - self._now) * _RESERVE
                part = min((left - own.ahead) * own.speed, self._reckoned.longest * _RESERVE)
        if len(self._group.allocations) > 1:
            probe = min(max(mean * _PROBE, _SHORTEST_PROBE), _LONGEST_PROBE)
            if slot.pace.shown < probe / 2:
                return min(part, probe)
            trusted = self.trusted(slot)
            if part > trusted and self._many_untried(probe):
                return trusted
        return part

    def trusted(self, slot: Slot) -> float:
        """Estimated seconds of several cases that a slot may get at once: some times what has shown its speed, where hosts may
        be unlike."""
        if len(self._group.allocations) < 2:
            return math.inf
        return max(_GROWTH * slot.pace.shown, _SHORTEST_PROBE)

    def ends_sooner_elsewhere(self, slot: Slot, piece: tuple[int, ...]) -> bool:
        """Whether a piece that is longer than any part would be done sooner by another slot.

        A slot that is idle leaves it only to one that is busy, may have it, and ends much sooner.
        """
        group = self._group
        if group.struck or group.earlier:
            return False
        own = self._load(slot)
        seconds = sum(map(group.queue.estimates.__getitem__, piece))
        limit = (own.ends(seconds) - _SOONER) / (1.0 if slot.attempts else _WORTH_WAITING)
        for (allocation_id, number), load in self._all_loads().items():
            if max(load.ahead - self._shift, 0.0) + seconds / load.speed < limit:
                there = self._state.allocations[allocation_id]
                other = there.slots[number]
                if other is not slot and (other.attempts or slot.attempts) and _has(there, piece):
                    return True
        return False

    def given(self, allocation: Allocation, slot: Slot) -> None:
        """A slot was given a piece: what there is to come has changed."""
        reckoned = self._reckoned
        if reckoned.loads:
            reckoned.loads[allocation.allocation_id, slot.number] = self._load(slot, self._shift)
        reckoned.given += 1
        if reckoned.given * _FEW_SLOTS >= reckoned.slots:
            reckoned.given, reckoned.end = 0, 0.0

    def _add_up(self, reckoned: Reckoned) -> None:
        speed, slots = 0.0, 0
        for allocation_id in self._group.allocations:
            allocation = self._state.allocations[allocation_id]
            if not allocation.closing:
                slots += len(allocation.slots)
                for slot in allocation.slots.values():
                    speed += slot.pace.speed
        reckoned.speed, reckoned.slots, reckoned.end = speed, slots, 0.0
        reckoned.loads.clear()
        reckoned.since, reckoned.until = self._now, self._now + _KEPT_SECONDS

    def _expected_end(self, work: float) -> float:
        """When all is done (unix seconds) if what is left could be divided at will, but for the longest that must stay whole."""
        reckoned = self._reckoned
        if not reckoned.end:
            loads = [Load(one.speed, max(one.ahead, self._shift)) for one in self._all_loads().values()]
            queue = self._group.queue
            longest = queue.longest_case()
            seconds = max(queue.estimates[longest] if longest >= 0 else 0.0, queue.longest_bound)
            soonest = min((load.ends(seconds) for load in loads), default=0.0)
            divided = level(work, loads)
            left = max(divided, soonest)
            reckoned.end, reckoned.level = reckoned.since + left, reckoned.since + divided
            reckoned.longest, reckoned.soonest = seconds, reckoned.since + soonest
            reckoned.until = reckoned.since + min(max(left * _KEPT_PART, _KEPT_SECONDS), _MOST_KEPT)
        return reckoned.end

    def _many_untried(self, probe: float) -> bool:
        """Whether many slots are at their first cases: one of them may be much faster. Those that take long count no more."""
        untried = sum(
            not slot.pace.actual and bool(slot.attempts) and self._now - slot.heard_at < _GROWTH * probe
            for allocation_id in self._group.allocations
            for slot in self._state.allocations[allocation_id].slots.values()
        )
        return untried * _FEW_UNTRIED > self._reckoned.slots

    def _leaves_the_longest(self, own: Load) -> bool:
        """Whether the longest that is left is for a slot of a faster host."""
        reckoned = self._reckoned
        unlike = len(self._group.allocations) > 1
        return unlike and own.ends(reckoned.longest) > (reckoned.soonest - self._now) * _MUCH_SOONER

    def _all_loads(self) -> dict[tuple[str, int], Load]:
        """Of the slots that are fed when they ask, counted from when all was last looked at."""
        found = self._reckoned.loads
        if not found:
            for allocation_id in sorted(self._group.allocations):
                allocation = self._state.allocations[allocation_id]
                worker = self._state.workers.get(allocation.worker_id)
                silent = worker is not None and worker.state is WorkerState.SUSPECT
                if allocation.ready and not allocation.closing and not silent:
                    for slot in allocation.slots.values():
                        found[allocation_id, slot.number] = self._load(slot, self._shift)
        return found

    def _load(self, slot: Slot, shift: float = 0.0) -> Load:
        """A slot that takes longer than it should is expected to take as long again as it is late."""
        speed = slot.pace.speed
        if not slot.attempts:
            return Load(speed, shift)
        held = sum(self._state.attempts[attempt_id].seconds for attempt_id in slot.attempts)
        return Load(speed, shift + abs(held / speed - max(self._now - slot.heard_at, 0.0)))


def _has(allocation: Allocation, piece: tuple[int, ...]) -> bool:
    known = allocation.local_of
    return known is None or all(index in known for index in piece)
