"""One scheduler beside the fallback: its link, its breaker, and which of its groups it is let decide for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from crossfleet.coordinator.convert.plans import Mine
from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.breaker import Breaker, Stage
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.placeable import placeable, surely_satisfiable
from crossfleet.coordinator.core.usage import Usage
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.guard import Guard
from crossfleet.coordinator.scheduling.link import SchedulerLink
from crossfleet.coordinator.scheduling.losses import Losses
from crossfleet.coordinator.scheduling.roster import External
from crossfleet.coordinator.scheduling.sight import Sight
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.clock import Clock


class Member:
    """While its breaker is half open, it decides for one group at a time: the trial."""

    def __init__(
        self,
        external: External,
        state: Callable[[], State],
        commit: Commit,
        clock: Clock,
        notice_seconds: float,
        usage: Usage | None,
        mine: Mine,
        changed: Callable[[Member], None],
        handed_over: Callable[[Member, str, str], None],
    ) -> None:
        """`mine`: whether it decides for a group now. `changed` is called when its breaker has changed its stage,
        `handed_over` with a group that it does not get placed, and why."""
        self.external = external
        self.breaker = Breaker(external.deadline)
        self.figures = SchedulerFigures(address=external.address)

        def give_up(group_id: str, cause: str) -> None:
            handed_over(self, group_id, cause)

        self._losses = Losses(give_up)
        self.trial = ""
        self._given_up: dict[str, str] = {}
        self._state = state
        guard = Guard(
            self.breaker,
            clock,
            self.figures,
            self._placeable,
            self._satisfiable,
            self._answered,
            self._ask_again,
            lambda: changed(self),
            give_up,
        )
        self.link = SchedulerLink(
            external.address,
            external.token_file,
            state,
            commit,
            clock,
            notice_seconds,
            usage,
            authority=external.authority,
            figures=self.figures,
            sight=Sight(mine),
            conduct=guard,
            losses=self._losses,
        )

    @property
    def name(self) -> str:
        """Its name in this fleet."""
        return self.external.name

    def decides(self, group: Group) -> bool:
        """Whether it decides for a group that is its own."""
        if not self._able(group):
            return False
        if self.breaker.stage is Stage.CLOSED:
            return group.group_id not in self._given_up
        return self.breaker.stage is Stage.HALF_OPEN and group.group_id == self.trial

    def why_not(self, group: Group) -> str:
        """Why it does not decide for a group of its own."""
        if group.group_id in self._given_up:
            return f"scheduler {self.name} {self._given_up[group.group_id]}"
        if self.figures.connected and not self._able(group):
            return f"scheduler {self.name} places no gangs"
        if self.breaker.stage is Stage.HALF_OPEN:
            return f"scheduler {self.name} is back, and tried with another group; it was out: {self.breaker.cause}"
        return f"scheduler {self.name} is out: {self.breaker.cause}"

    def _able(self, group: Group) -> bool:
        return self.figures.gangs or group.target.request.gang <= 1

    def give_up(self, group_id: str, cause: str) -> None:
        """It decides for this group no more."""
        self._given_up[group_id] = cause

    @property
    def tried(self) -> bool:
        """Whether the trial has what it wants, or is over."""
        state = self._state()
        trial = state.groups.get(self.trial)
        return trial is None or not view.wanted_slots(state, trial)

    def try_with(self, groups: Sequence[Group]) -> str:
        """Choose the trial among some of its own groups, where it has none; answers the new one, or nothing."""
        if self.breaker.stage is not Stage.HALF_OPEN:
            self.trial = ""
            return ""
        if not self.tried:
            return ""
        state = self._state()
        fit = (one for one in groups if one.group_id not in self._given_up and self._able(one))
        self.trial = next((one.group_id for one in fit if view.wanted_slots(state, one)), "")
        return self.trial

    def forget(self, group_id: str) -> None:
        """The group is over."""
        self._given_up.pop(group_id, None)
        self._losses.forget(group_id)
        if self.trial == group_id:
            self.trial = ""

    def _answered(self) -> None:
        """The next update need not wait any longer."""
        self.link.teller.wake.set()

    def _ask_again(self) -> None:
        self.link.ask_again()

    def _placeable(self, group_ids: Iterable[str]) -> Iterator[str]:
        state = self._state()
        found = placeable(state, (state.groups[one] for one in group_ids if one in state.groups))
        return (one.group_id for one in found)

    def _satisfiable(self, group_id: str) -> bool:
        state = self._state()
        group = state.groups.get(group_id)
        return group is not None and surely_satisfiable(state, group)
