"""Why a group gets less than it wants: never, or later and behind whom."""

from collections import Counter

from crossfleet.matching.misfit import Code, Wait
from crossfleet.scheduler.core.ground import Ground
from crossfleet.scheduler.core.model import Group, Waiting
from crossfleet.scheduler.core.order import rank

_MAX_NAMED = 3


class Reasons:
    """Tells reasons after placing, from the same pass; holders are counted once per distinct request."""

    def __init__(self, ground: Ground) -> None:
        """Look at what the pass left."""
        self._ground = ground
        self._proposed_on: dict[str, list[tuple[str, int]]] = {}
        self._holders: dict[object, Counter[str]] = {}
        for proposal in ground.proposals.values():
            self._proposed_on.setdefault(proposal.worker_id, []).append((proposal.group_id, proposal.slots))

    def waiting(self, group: Group, refused: frozenset[str], *, at_limit: bool) -> Waiting:
        """The reason of one group."""
        ground = self._ground
        if not ground.snapshot.workers:
            return Waiting(group.id, Wait.LATER, "no_workers", "the fleet has no workers yet")
        able = ground.eligibility.row(group.request, ground.snapshot).able
        if not able or group.request.slots_min > 1:  # Else some ready worker would do: it can only be busy.
            told = ground.eligibility.explanation(group.request, ground.snapshot)
            if told.wait is Wait.NEVER or told.code is Code.STATE:
                return Waiting(group.id, told.wait, str(told.code), told.text)
        if at_limit:
            text = f"it has the {group.request.slots_max} slots that its slots_max allows"
            return Waiting(group.id, Wait.LATER, "slots_max", text)
        return self._later(group, refused)

    def _later(self, group: Group, refused: frozenset[str]) -> Waiting:
        snapshot = self._ground.snapshot
        holders = self._counted(group)
        others = {one: slots for one, slots in holders.items() if one != group.id}
        known = {one: snapshot.groups[one] for one in others if one in snapshot.groups}
        higher = [one for one in known.values() if one.priority > group.priority]
        older = [one for one in known.values() if one.priority == group.priority and rank(one) < rank(group)]
        if higher:
            text = f"behind higher priority: {self._named(higher, others)}"
            return Waiting(group.id, Wait.LATER, "behind_priority", text)
        if older:
            return Waiting(group.id, Wait.LATER, "behind", f"behind earlier work: {self._named(older, others)}")
        if others:
            slots = sum(others.values())
            named = self._named(list(known.values()), others)
            return Waiting(group.id, Wait.LATER, "busy", f"{slots} slots are in use{': ' + named if named else ''}")
        if refused:
            text = f"the coordinator refused {', '.join(sorted(refused)[:_MAX_NAMED])}; it is asked again soon"
            return Waiting(group.id, Wait.LATER, "refused", text)
        if group.id in holders:
            return Waiting(group.id, Wait.LATER, "busy", "it holds every slot that it can use of this fleet")
        return Waiting(group.id, Wait.LATER, "busy", "too little is free at once on any worker that satisfies it")

    def _counted(self, group: Group) -> Counter[str]:
        found = self._holders.get(group.request)
        if found is None:
            found = self._holders[group.request] = Counter()
            for name in self._ground.eligibility.row(group.request, self._ground.snapshot).able:
                for held in self._ground.snapshot.held_on(name):
                    found[held.group_id] += held.slots
                for group_id, slots in self._proposed_on.get(name, ()):
                    found[group_id] += slots
        return found

    @staticmethod
    def _named(groups: list[Group], slots: dict[str, int]) -> str:
        ranked = sorted(groups, key=rank)
        parts = [f"{slots[one.id]} slots of {one.run_id or one.id} {one.target}".rstrip() for one in ranked]
        more = f" and {len(parts) - _MAX_NAMED} more" if len(parts) > _MAX_NAMED else ""
        return ", ".join(parts[:_MAX_NAMED]) + more
