"""Makes it a fact, for whoever watches a run, that the fallback decides for its groups, and that it no longer does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crossfleet.coordinator.core.deciders import ChangeDecider
from crossfleet.coordinator.core.model import Group
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger

_MOST_GROUPS = 500

Under = Callable[[Group], tuple[str, str]]
"""Who decides for a group, and why the fallback does where it stands in; empty where it does not."""


async def announce(groups: Iterable[Group], commit: Commit, under: Under) -> None:
    """Commits what differs from what was told last. What cannot be committed now is told when its decider changes again."""
    found: dict[tuple[str, str], list[str]] = {}
    for group in groups:
        if not group.over:
            scheduler, cause = under(group)
            if bool(cause) is not group.under_fallback:
                found.setdefault((scheduler, cause), []).append(group.group_id)
    for (scheduler, cause), group_ids in found.items():
        for first in range(0, len(group_ids), _MOST_GROUPS):
            part = tuple(group_ids[first : first + _MOST_GROUPS])
            try:
                await commit(ChangeDecider(part, scheduler, bool(cause), cause))
            except CrossfleetError as error:
                get_logger().warning("it could not be told who decides for groups", error=str(error))
                return
