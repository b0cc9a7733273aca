"""All schedulers of a coordinator: who decides for which group, and who stands in for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.breaker import Stage
from crossfleet.coordinator.core.deciders import POOL, decider_of
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.usage import Usage
from crossfleet.coordinator.core.whereabouts import asked
from crossfleet.coordinator.scheduling.announcing import announce
from crossfleet.coordinator.scheduling.bulletin import Tell, nobody
from crossfleet.coordinator.scheduling.figures import SchedulerFigures, SchedulerStanding
from crossfleet.coordinator.scheduling.link import SchedulerLink
from crossfleet.coordinator.scheduling.member import Member
from crossfleet.coordinator.scheduling.roster import DEFAULT, External
from crossfleet.coordinator.scheduling.sight import Sight
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.logs import get_logger
from crossfleet.matching.cel import SelectorError
from crossfleet.matching.pinned import pinned_label

_ANNOUNCE_SECONDS = 0.1
_MOST_PAST = 256


class Schedulers:
    """The fallback, which is always connected and follows the fleet, and whoever else decides for some groups."""

    def __init__(
        self,
        fallback: tuple[str, str, str],
        externals: Sequence[External],
        state: Callable[[], State],
        commit: Commit,
        clock: Clock,
        notice_seconds: float,
        usage: Usage | None = None,
        tell: Tell = nobody,
    ) -> None:
        """`fallback`: address, token file and authority; `tell` hears when one is out or decides again; the rest as in SchedulerLink."""
        address, token_file, authority = fallback
        self._state, self._commit, self._clock = state, commit, clock
        self._notice = notice_seconds
        self._tell = tell
        self.usage = usage
        self._seen = state()
        self._homes: dict[str, Member | None] = {}
        self._news = asyncio.Event()
        self._unannounced: set[str] = set()
        self._log = get_logger()
        self.members = tuple(
            Member(
                one,
                state,
                commit,
                clock,
                notice_seconds,
                usage,
                self._mine(one.name),
                self._changed,
                self._handed_over,
            )
            for one in externals
        )
        self._by_name = {one.name: one for one in self.members}
        self._deciders = tuple(one.decider for one in externals)
        self._by_pool = any(one.pools for one in self._deciders)
        self.fallback = SchedulerLink(
            address,
            token_file,
            state,
            commit,
            clock,
            notice_seconds,
            usage,
            authority=authority,
            sight=Sight(self._mine("")) if self.members else None,
        )
        self._links = (self.fallback, *(one.link for one in self.members))

    @property
    def figures(self) -> SchedulerFigures:
        """Of the fallback."""
        return self.fallback.figures

    def names(self) -> list[str]:
        """By which a run may ask for a scheduler."""
        described = self.fallback.figures.name
        return [DEFAULT, *([described] if described else []), *self._by_name]

    def foreseen(self, events: Sequence[facts.Event]) -> None:
        """Called with each batch before it is durable, and with nothing when it was taken back."""
        if self.members:
            self._follow(self._state(), events)
        for link in self._links:
            link.foreseen(events)

    def committed(self, state: State, events: Sequence[facts.Event]) -> None:
        """Called right after each commit."""
        if self.members:
            self._follow(state, events)
        for link in self._links:
            link.committed(state, events)

    async def run(self) -> None:
        """Runs until cancelled."""
        if not self.members:
            await self.fallback.run()
            return
        parts = [*(link.run() for link in self._links), self._keep_announcing()]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def standings(self) -> list[SchedulerStanding]:
        """How each of them stands now, the fallback first."""
        state, now = self._state(), self._clock.monotonic()
        open_groups = [one for one in state.groups.values() if not one.over]
        counts: dict[str, int] = {}
        for group in open_groups:
            decider = self._decider(group)
            counts[decider] = counts.get(decider, 0) + 1
        return [
            SchedulerStanding(DEFAULT, self.figures, counts.get("", 0)),
            *(
                SchedulerStanding(
                    one.name,
                    one.figures,
                    counts.get(one.name, 0),
                    one.breaker.stage,
                    one.breaker.cause,
                    now - one.breaker.since,
                    one.breaker.openings,
                    tuple(sorted(one.external.decider.pools)),
                    one.external.decider.canary,
                    one.external.deadline,
                )
                for one in self.members
            ),
        ]

    def _mine(self, name: str) -> Callable[[Group], bool]:
        return lambda group: self._decider(group) == name

    def _decider(self, group: Group) -> str:
        """Who decides for a group now; empty: the fallback."""
        home = self._home(group)
        return home.name if home is not None and home.decides(group) else ""

    def _home(self, group: Group) -> Member | None:
        """The scheduler whose own a group is, whoever decides for it now."""
        if group.group_id not in self._homes:
            state = self._state()
            run = state.runs[group.run_id]
            name = decider_of(group.group_id, self._pool(state, group), run.policy.scheduler, self._deciders)
            self._homes[group.group_id] = self._by_name.get(name)
        return self._homes[group.group_id]

    def _pool(self, state: State, group: Group) -> str:
        if not self._by_pool:
            return ""
        try:
            return pinned_label(state.selectors.compile(asked(group).selector), POOL)
        except SelectorError:  # its request can be satisfied by nobody, as whoever decides will say
            return ""
        except Exception as error:  # noqa: BLE001 - the ledger asks, and would tell nobody of anything any more
            self._log.error("it cannot be told which pool a group demands", group=group.group_id, exc_info=error)
            return ""

    def _follow(self, state: State, events: Sequence[facts.Event]) -> None:
        """Groups come and go."""
        if state is not self._seen:
            self._seen = state
            self._homes.clear()
        for event in events:
            if type(event) is facts.GroupFinished:
                for member in self.members:
                    member.forget(event.group_id)
        if len(self._homes) > 2 * len(state.groups) + _MOST_PAST:
            self._homes = {one: home for one, home in self._homes.items() if one in state.groups}
        troubled = [one for one in self.members if one.breaker.stage is not Stage.CLOSED]
        if troubled:
            new = _submitted(state, events)
            self._announce_of(one.group_id for one in new)
            for member in troubled:
                self._try(member, new)

    def _own(self, member: Member) -> list[Group]:
        groups = self._state().groups.values()
        return [one for one in groups if not one.over and self._home(one) is member]

    def _try(self, member: Member, new: Sequence[Group]) -> None:
        """While it is half open, it is tried with one group after the other: first with what waits, then with what comes."""
        before = member.trial
        if before:
            chosen = member.try_with(self._own(member)) if member.tried else ""
        else:
            chosen = member.try_with([one for one in new if self._home(one) is member])
        if chosen:
            self._review(member, [one for one in (before, chosen) if one])

    def _changed(self, member: Member) -> None:
        """Its breaker opened, closed, or is half open."""
        breaker, own = member.breaker, self._own(member)
        member.try_with(own)
        if breaker.stage is Stage.OPEN:
            self._log.warning("a scheduler is out", scheduler=member.name, cause=breaker.cause, groups=len(own))
        elif breaker.stage is Stage.HALF_OPEN:
            self._log.info("a scheduler is back, on trial", scheduler=member.name)
        else:
            self._log.info("a scheduler decides", scheduler=member.name, groups=len(own))
        self._tell(member.name, breaker.stage, breaker.cause)
        self._review(member, [one.group_id for one in own])

    def _handed_over(self, member: Member, group_id: str, cause: str) -> None:
        group = self._state().groups.get(group_id)
        if group is None or group.over or self._home(group) is not member:
            return
        member.give_up(group_id, cause)
        self._log.warning("a group goes to the fallback", scheduler=member.name, group=group_id, cause=cause)
        self._review(member, [group_id])

    def _review(self, member: Member, group_ids: Iterable[str]) -> None:
        """Others decide for these groups of its own now."""
        ids = list(group_ids)
        member.link.teller.review(ids)
        self.fallback.teller.review(ids)
        self._announce_of(ids)

    def _announce_of(self, group_ids: Iterable[str]) -> None:
        self._unannounced.update(group_ids)
        if self._unannounced:
            self._news.set()

    async def _keep_announcing(self) -> None:
        """Whoever watches a run hears under whom it is, where that is not whom it was given to."""
        await self._clock.sleep(self._notice)
        for member in self.members:
            self._tell(member.name, member.breaker.stage, member.breaker.cause)
        self._announce_of(self._state().groups)
        while True:
            await self._news.wait()
            # What changes back at once is not told.
            await self._clock.sleep(_ANNOUNCE_SECONDS)
            self._news.clear()
            named, self._unannounced = self._unannounced, set()
            state = self._state()
            await announce(
                [state.groups[one] for one in sorted(named) if one in state.groups], self._commit, self._under
            )

    def _under(self, group: Group) -> tuple[str, str]:
        """Name of who decides, and why it is not the scheduler whose own the group is; empty where it is."""
        home = self._home(group)
        if home is None:
            return DEFAULT, ""
        if home.decides(group):
            return home.name, ""
        return DEFAULT, home.why_not(group)


def _submitted(state: State, events: Sequence[facts.Event]) -> list[Group]:
    """The groups of runs that are new."""
    runs = (state.runs.get(event.run_id) for event in events if type(event) is facts.RunSubmitted)
    return [state.groups[one] for run in runs if run is not None for one in run.groups]
