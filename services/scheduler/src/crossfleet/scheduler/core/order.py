"""Who comes first: priority, then age; targets of one run together, so that they can share."""

from collections.abc import Iterable
from itertools import groupby

from crossfleet.scheduler.core.model import Group


def order(groups: Iterable[Group]) -> list[list[Group]]:
    """Groups in bunches: a bunch comes wholly before the next, and inside it slots are shared.

    Higher priority first, then the older run. Groups of one run with one priority are a bunch, since a matrix
    of targets is meant to proceed side by side. Ids break ties, so the order is total.
    """
    ranked = sorted(groups, key=rank)
    return [list(bunch) for _, bunch in groupby(ranked, key=lambda group: (group.priority, group.run_id or group.id))]


def rank(group: Group) -> tuple[int, float, str, str]:
    """Smaller goes first."""
    return (-group.priority, group.submitted_at, group.run_id, group.id)
