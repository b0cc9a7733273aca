"""A long plan in parts: between two of them others have their turn at the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.coordinator.core.commands import ApplyPlan


@dataclass(frozen=True, slots=True)
class Part:
    """A plan of some of a plan's items; `indices` are those of its proposals in the whole."""

    plan: ApplyPlan
    indices: tuple[int, ...]


def parts(plan: ApplyPlan, most: int) -> list[Part]:
    """At least one, each of about `most` proposals, in their order; those of a gang stay together.

    What is to be taken back comes with the first, why groups wait with the last: what a group is given ends its reason.
    Whoever gets more by a later part is told so: its cases are shared out among all slots that the plan gives it.
    Work is given to some of them at a time: for the rest, which the answer names, a `rest` follows.
    """
    units: dict[str | int, list[int]] = {}
    for index, one in enumerate(plan.allocate):
        units.setdefault(one.gang_id or index, []).append(index)
    found: list[list[int]] = [[]]
    for unit in units.values():
        if found[-1] and len(found[-1]) + len(unit) > most:
            found.append([])
        found[-1] += unit
    last = {plan.allocate[index].group_id: number for number, indices in enumerate(found) for index in indices}
    made = []
    for number, indices in enumerate(found):
        allocate = tuple(map(plan.allocate.__getitem__, indices))
        unfinished = frozenset(one.group_id for one in allocate if last[one.group_id] > number)
        revoke = plan.revoke if indices is found[0] else ()
        waiting = plan.waiting if indices is found[-1] else ()
        made.append(Part(ApplyPlan(plan.plan_id, allocate, revoke, waiting, unfinished, in_parts=True), tuple(indices)))
    return made


def rest(plan_id: str, unfed: tuple[str, ...]) -> Part:
    """Work for more of the slots that these groups have got."""
    return Part(ApplyPlan(plan_id, feed=unfed, in_parts=True), ())
