"""One cycle: a pure function from a snapshot to a plan."""

from collections.abc import Mapping

from crossfleet.scheduler.core.eligibility import Eligibility
from crossfleet.scheduler.core.explain import Reasons
from crossfleet.scheduler.core.ground import Ground
from crossfleet.scheduler.core.model import Group, Plan
from crossfleet.scheduler.core.order import order
from crossfleet.scheduler.core.place import Wish, place_bunch
from crossfleet.scheduler.core.snapshot import Snapshot

_NOBODY: frozenset[str] = frozenset()


def plan(snapshot: Snapshot, eligibility: Eligibility, refused: Mapping[str, frozenset[str]] | None = None) -> Plan:
    """Propose allocations for what waits, and say why whoever gets less than it wants waits.

    Deterministic: depends only on the rows of the snapshot, and on ``refused``, the workers that each group was
    refused on lately. ``eligibility`` only remembers.
    """
    refused = refused or {}
    eligibility.refresh(snapshot)
    wanting = [group for group in snapshot.groups.values() if group.wanted_slots > 0]
    if not wanting:
        return Plan(snapshot.revision)
    ground = Ground(snapshot, eligibility, wanting)
    wishes: dict[str, Wish] = {}
    for bunch in order(wanting):
        own = [_wish(snapshot, group, refused.get(group.id, _NOBODY)) for group in bunch]
        wishes.update((wish.group.id, wish) for wish in own)
        place_bunch(ground, own)
    reasons = Reasons(ground)
    waiting = []
    for group in (wish.group for wish in wishes.values()):
        wish = wishes[group.id]
        if wish.granted < group.wanted_slots - _proposed(snapshot, group):
            limit = group.request.slots_max
            at_limit = limit > 0 and wish.held + wish.granted >= limit
            waiting.append(reasons.waiting(group, wish.refused, at_limit=at_limit))
    return Plan(snapshot.revision, tuple(ground.proposals.values()), tuple(waiting))


def _proposed(snapshot: Snapshot, group: Group) -> int:
    return sum(held.slots for held in snapshot.held_by(group.id) if held.id in snapshot.proposed)


def _wish(snapshot: Snapshot, group: Group, refused: frozenset[str]) -> Wish:
    """What a group may get in this cycle: what it wants less what is proposed, within its limit."""
    held = sum(one.slots for one in snapshot.held_by(group.id))
    wanted = group.wanted_slots - _proposed(snapshot, group)
    if group.request.slots_max > 0:
        wanted = min(wanted, group.request.slots_max - held)
    return Wish(group, held, max(wanted, 0), refused)
