"""What cannot be put into words for a scheduler: its updates leave that out, and whoever waits for it is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from itertools import islice
from typing import Any

from crossfleet.coordinator.core.commands import ApplyPlan, WaitingReason
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import shorten
from crossfleet.foundation.logs import get_logger

_CODE = "untellable"
_CAUSE_CHARACTERS = 300
_MOST_NAMED = 500
_FIRST_NAMED = 3
_NAME_CHARACTERS = 200


class LeftOut:
    """Of one scheduler. A fault in one row would else end its stream, and the next leader's too."""

    def __init__(self, figures: SchedulerFigures, state: Callable[[], State], commit: Commit) -> None:
        """Nothing was left out yet."""
        self._figures, self._state, self._commit = figures, state, commit
        self._causes: dict[tuple[str, str], str] = {}
        self._unnamed: set[str] = set()
        self._news = asyncio.Event()
        self._log = get_logger()

    def forget_gone(self) -> None:
        """Everything is told anew: of what is gone, nothing is left out."""
        state = self._state()
        there: dict[str, Container[str]] = {
            "worker": state.workers,
            "group": state.groups,
            "fit": state.groups,
            "shares": ("",),
            "allocation": state.allocations,
        }
        self._causes = {(kind, name): cause for (kind, name), cause in self._causes.items() if name in there[kind]}
        self._count()

    def put(self, kind: str, name: str, make: Callable[..., Any], *of: Any) -> Any:
        """What `make(*of)` answers: the row of a worker, group or allocation, or shares; None where that raises anything."""
        try:
            row = make(*of)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one row, the others are told
            self.note(kind, name, error)
            return None
        if self._causes and self._causes.pop((kind, name), None) is not None:
            self._count()
        return row

    def note(self, kind: str, name: str, error: Exception) -> None:
        """Something is not told, since telling it raises this: a worker, group or allocation, or the fit of a group."""
        cause = shorten(f"{type(error).__name__}: {error}", _CAUSE_CHARACTERS)
        if self._causes.get((kind, name)) != cause:
            self._causes[kind, name] = cause
            self._count()
            who = {"kind": kind, "id": name, "scheduler": self._figures.address}
            self._log.error("a scheduler is not told of it, for it cannot be put into words", **who, exc_info=error)
        if kind in {"group", "fit"}:
            self._unnamed.add(name)
            self._news.set()

    async def name(self) -> None:
        """Tells groups that are left out why they wait, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            reasons, self._unnamed = self._reasons(), set()
            for first in range(0, len(reasons), _MOST_NAMED):
                try:
                    await self._commit(ApplyPlan(plan_id="", waiting=reasons[first : first + _MOST_NAMED]))
                except CrossfleetError as error:
                    self._log.warning("groups could not be told why they wait", error=str(error))

    def _reasons(self) -> tuple[WaitingReason, ...]:
        """Of groups that were not told yet."""
        groups = self._state().groups
        known = self._causes
        causes = ((one, known.get(("group", one)) or known.get(("fit", one))) for one in sorted(self._unnamed))
        made = (WaitingReason(one, False, _CODE, _text(cause)) for one, cause in causes if cause)
        return tuple(one for one in made if one.group_id in groups and groups[one.group_id].waiting_text != one.text)

    def _count(self) -> None:
        self._figures.left_out = len(self._causes)
        first = islice(self._causes, _FIRST_NAMED)
        self._figures.left_out_names = tuple(
            shorten(f"{kind} {name}".rstrip(), _NAME_CHARACTERS) for kind, name in first
        )


def _text(cause: str) -> str:
    return f"schedulers cannot be told of it, which is a fault of the coordinator (its log says more): {cause}"
