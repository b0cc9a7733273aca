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
    """
    units: dict[str | int, list[int]] = {}
    for index, one in enumerate(plan.allocate):
        units.setdefault(one.gang_id or index, []).append(index)
    found: list[list[int]] = [[]]
    for unit in units.values():
        if found[-1] and len(found[-1]) + len(unit) > most:
            found.append([])
        found[-1] += unit
    return [
        Part(
            ApplyPlan(
                plan.plan_id,
                tuple(map(plan.allocate.__getitem__, indices)),
                plan.revoke if indices is found[0] else (),
                plan.waiting if indices is found[-1] else (),
            ),
            tuple(indices),
        )
        for indices in found
    ]
