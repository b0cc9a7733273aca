"""Why a group gets less than it wants: never, or later and behind whom."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice

from crossfleet.matching.explain import Explanation, explain
from crossfleet.matching.kinds import kinds
from crossfleet.matching.misfit import Code, Wait
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.demands import Demand
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Allocation, Group, Waiting
from crossfleet.scheduler.core.place import Placing
from crossfleet.scheduler.core.queue import Entry, Rank
from crossfleet.scheduler.core.snapshot import Snapshot

_MOST_NAMED = 3
_MOST_HOSTS = 64
_MOST_AGAIN = 32
_NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Holders:
    """Who holds what a demand could use: slots by group, and the known ones in their order. Of many only some.

    ``latest``: for each of the known, when the youngest of those up to it was submitted.
    """

    slots: dict[str, int]
    known: list[tuple[Rank, Group]]
    total: int
    texts: dict[int, str] = field(default_factory=dict)
    latest: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.latest = list(accumulate([group.submitted_at for _, group in self.known], max))

    def first(self, count: int) -> str:
        """Names the first ``count`` of them."""
        found = self.texts.get(count)
        if found is None:
            found = self.texts[count] = _named(self.known[:count], self.slots)
        return found


class Reasons:
    """Tells reasons after placing, each once, and again when it has become another.

    Who begins to wait is told at once. The rest is looked at again by turns, some in each cycle.
    """

    def __init__(self, fleet: Fleet, entries: Mapping[str, Entry], selectors: Selectors) -> None:
        """Nobody waits."""
        self.short: dict[str, Demand] = {}
        self._fleet = fleet
        self._entries = entries
        self._selectors = selectors
        self._of_demand: dict[Demand, dict[str, None]] = {}
        self._fresh: dict[str, None] = {}
        self._turns: deque[str] = deque()
        self._told: dict[str, Waiting] = {}
        self._holders: dict[Demand, _Holders] = {}
        self._explained: dict[Request, Explanation] = {}
        self._workers: list[tuple[WorkerView, int]] = []

    def note(self, group_id: str, *, again: bool) -> None:
        """A group was looked at, or got something: then (``again``) the coordinator has forgotten its reason."""
        self._fresh[group_id] = None
        if again:
            self._told.pop(group_id, None)

    def forget(self, group_id: str) -> None:
        """A group does not wait."""
        self._forget_place(group_id)
        self._told.pop(group_id, None)
        self._fresh.pop(group_id, None)

    def workers_changed(self) -> None:
        """What was said of the whole fleet may hold no more."""
        self._explained.clear()
        self._workers.clear()

    def tell(self, snapshot: Snapshot, placing: Placing, refused: Mapping[str, frozenset[str]]) -> tuple[Waiting, ...]:
        """The reasons that are new, in the order of the queue."""
        noted, self._fresh = self._fresh, {}
        ids = []
        for group_id in noted:
            entry = self._entries[group_id]
            if entry.short > 0:
                self._keep_place(group_id, entry.shape.demand)
                ids.append(group_id)
            elif group_id in self.short:
                self._forget_place(group_id)
                self._told.pop(group_id, None)
        ids += [one for one in self._look_again() if one not in noted]
        told = []
        for entry in (self._entries[one] for one in ids):
            reason = self._reserved(snapshot, placing, entry)
            reason = reason or self._reason(snapshot, placing, entry, refused.get(entry.group.id, _NOBODY))
            if self._told.get(entry.group.id) != reason:
                self._told[entry.group.id] = reason
                told.append((entry.rank, reason))
        told.sort(key=_first)
        return tuple([reason for _, reason in told])

    def _keep_place(self, group_id: str, demand: Demand) -> None:
        if self.short.get(group_id) is not demand:
            self._forget_place(group_id)
            self.short[group_id] = demand
            self._of_demand.setdefault(demand, {})[group_id] = None

    def _forget_place(self, group_id: str) -> None:
        demand = self.short.pop(group_id, None)
        if demand is not None:
            waiting = self._of_demand[demand]
            del waiting[group_id]
            if not waiting:
                del self._of_demand[demand]
                self._holders.pop(demand, None)

    def _look_again(self) -> list[str]:
        """Whose turn it is to be looked at again, with who holds now what they wait for."""
        if not self._turns:
            self._turns.extend(one for waiting in self._of_demand.values() for one in waiting)
        turns = [self._turns.popleft() for _ in range(min(len(self._turns), _MOST_AGAIN))]
        again = [one for one in turns if one in self.short]
        for demand in {self.short[one]: None for one in again}:
            self._holders.pop(demand, None)
        return again

    def _reserved(self, snapshot: Snapshot, placing: Placing, entry: Entry) -> Waiting | None:
        """Whether a group waits although there is room, since that is kept for others."""
        if not entry.wanted or not placing.reservations.closed_to(entry):
            return None
        if not self._fleet.search.has_room(entry.shape):
            return None
        others = (snapshot.groups[one] for one in placing.reservations.made if one != entry.group.id)
        names = ", ".join(f"{one.run_id or one.id} {one.target}".rstrip() for one in others)
        text = f"what is free is kept for {names}, which could else be kept out for ever"
        return Waiting(entry.group.id, Wait.LATER, "reserved", text)

    def _reason(
        self,
        snapshot: Snapshot,
        placing: Placing,
        entry: Entry,
        refused: frozenset[str],
    ) -> Waiting:
        group, request = entry.group, entry.group.request
        if not snapshot.workers:
            return Waiting(group.id, Wait.LATER, "no_workers", "the fleet has no workers yet")
        # Else some ready worker would do: it can only be busy.
        if not self._fleet.able[entry.shape.demand] or request.slots_min > 1:
            told = self._explanation(entry.shape.demand, snapshot)
            if told.wait is Wait.NEVER or told.code is Code.STATE:
                return Waiting(group.id, told.wait, str(told.code), told.text)
        if request.gang > 1 and not entry.held:
            able = self._fleet.able_hosts(entry.shape.demand, entry.shape.least)
            if able < request.gang:
                workers = f"{able} worker{'' if able == 1 else 's'}"
                return Waiting(
                    group.id,
                    Wait.NEVER,
                    "gang",
                    f"its gang needs {request.gang} workers at once; {workers} could take it",
                )
        if request.slots_max > 0 and entry.held >= request.slots_max:
            text = f"it has the {request.slots_max} slots that its slots_max allows"
            return Waiting(group.id, Wait.LATER, "slots_max", text)
        code, text = self._later(self._held(entry.shape.demand, snapshot, placing), entry, refused)
        missing = self._fleet.lacking(entry.shape.demand) if any(one.capacities for one in request.devices) else ""
        return Waiting(group.id, Wait.LATER, code, f"{text}; {missing}" if missing else text)

    def _later(self, holders: _Holders, entry: Entry, refused: frozenset[str]) -> tuple[str, str]:
        group, known = entry.group, holders.known
        higher, older = bisect_left(known, ((-group.priority,),)), bisect_left(known, (entry.rank,))
        if higher:
            return "behind_priority", f"behind higher priority: {holders.first(higher)}"
        if older:
            hurried = holders.latest[older - 1] > group.submitted_at
            return (
                "behind",
                f"behind {'work that is due sooner' if hurried else 'earlier work'}: {holders.first(older)}",
            )
        slots = holders.total - holders.slots.get(group.id, 0)
        if slots:
            named = _named([pair for pair in known if pair[0] != entry.rank], holders.slots)
            return "busy", f"{_slots(slots)} {'is' if slots == 1 else 'are'} in use{': ' + named if named else ''}"
        if refused:
            names = ", ".join(sorted(refused)[:_MOST_NAMED])
            return "refused", f"the coordinator refused {names}; it is asked again soon"
        if group.id in holders.slots:
            return "busy", "it holds every slot that it can use of this fleet"
        return "busy", "too little is free at once on any worker that satisfies it"

    def _held(self, demand: Demand, snapshot: Snapshot, placing: Placing) -> _Holders:
        found = self._holders.get(demand)
        if found is None:
            kinds = sorted(self._fleet.able[demand], key=lambda kind: kind.names[0])
            slots: dict[str, int] = {}
            able = list(islice((name for kind in kinds for name in kind.names), _MOST_HOSTS))
            for held in self._beside(able, demand) if snapshot.crowded else ():
                slots[held.group_id] = slots.get(held.group_id, 0) + held.slots
            given = placing.by_worker
            for name in able:
                for held in snapshot.held_on(name):
                    slots[held.group_id] = slots.get(held.group_id, 0) + held.slots
                for group_id, count in given.get(name, ()):
                    slots[group_id] = slots.get(group_id, 0) + count
            entries = [entry for one in slots if (entry := self._entries.get(one)) is not None]
            known = sorted([(one.rank, one.group) for one in entries], key=_first)
            found = self._holders[demand] = _Holders(slots, known, sum(slots.values()))
        return found

    def _beside(self, names: Sequence[str], demand: Demand) -> list[Allocation]:
        """What is held of other workers of their hosts, and keeps the demand out."""
        beside = {one.id: one for name in names for one in self._fleet.beside(name, demand)}
        return [one for one in beside.values() if one.worker_id not in names]

    def _explanation(self, demand: Demand, snapshot: Snapshot) -> Explanation:
        """What matching says of a request and this whole fleet."""
        found = self._explained.get(demand.request)
        if found is None:
            if not self._workers:
                self._workers = kinds(snapshot.workers.values())
            workers = self._workers
            if demand.particular:
                workers = [(snapshot.workers[name], 1) for name in sorted(snapshot.workers)]
            found = explain(
                demand.request,
                [one for one, _ in workers],
                self._selectors,
                {one.name: count for one, count in workers},
            )
            self._explained[demand.request] = found
        return found


def _first(pair: tuple[Rank, object]) -> Rank:
    return pair[0]


def _slots(count: int) -> str:
    return f"{count} slot{'s' * (count != 1)}"


def _named(groups: list[tuple[Rank, Group]], slots: Mapping[str, int]) -> str:
    first = (group for _, group in groups[:_MOST_NAMED])
    parts = [f"{_slots(slots[one.id])} of {one.run_id or one.id} {one.target}".rstrip() for one in first]
    more = f" and {len(groups) - _MOST_NAMED} more" if len(groups) > _MOST_NAMED else ""
    return ", ".join(parts) + more
