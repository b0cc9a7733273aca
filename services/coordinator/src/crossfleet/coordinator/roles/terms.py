"""One term after another: campaign, take over, lead, hand over or step down; in between the coordinator follows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from crossfleet.coordinator.election.port import Election, Leader, Term
from crossfleet.coordinator.roles.methods import Handlers
from crossfleet.coordinator.roles.silence import Silence
from crossfleet.coordinator.roles.switch import Switch
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import CrossfleetError, NoLeader, NotLeader, SchemaVersionUnsupported
from crossfleet.foundation.errors import Draining as DrainingError
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.retry import delays
from crossfleet.foundation.serve.health import Condition

# Whoever could not lead, or not for long, lets others try first.
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 5.0
_ELECTION_SECONDS = 0.2
_RESIGN_SECONDS = 2.0
# Streams end once it is known who follows, so that workers and watchers go straight there.
_SUCCESSOR_SECONDS = 0.3


class Leadership(Protocol):
    """What a coordinator is while it leads. `broken`: by a fault of its own, which only another process may do better."""

    broken: bool

    def handlers(self) -> Handlers:
        """Every method."""

    async def wait_failed(self) -> str:
        """Wait until it cannot lead any more, though its term may go on; says why."""

    def stop_deciding(self, cause: str) -> None:
        """At once: nothing more is committed, answered or assigned."""

    async def finish(self, *, holding: bool) -> None:
        """Take no more commands, and commit those that were taken. `holding`: who comes later waits for `stop_deciding`."""

    def end_streams(self, cause: str) -> None:
        """Let every stream of workers and watchers end."""


TakeOver = Callable[[AsyncExitStack, Term], Awaitable[Leadership]]
"""Takes the ledger over and starts what leads; the stack ends it. Raises CrossfleetError."""


@dataclass(slots=True)
class Terms:
    """Leads whenever it is elected, until the coordinator drains.

    `alone`: there is no one to hand over to. What ends the term, or keeps it from beginning, then ends the process.
    `known` and `following` are as for Switch.
    """

    election: Election
    draining: Draining
    take_over: TakeOver
    alone: bool
    me: Leader
    known: frozenset[str]
    following: Handlers
    switch: Switch = field(init=False)
    leads: Condition = field(default_factory=Condition)
    _silence: Silence = field(init=False)
    _resigned: Term | None = None
    _told: str = ""
    _pauses: Iterator[float] = field(init=False)

    def __post_init__(self) -> None:
        """Follows."""
        self._silence = Silence(self._other, self._judge)
        self.switch = Switch(self.known, self.following, self.refusal, self._silence.check)
        self._pauses = delays(first=_FIRST_PAUSE, longest=_LAST_PAUSE)

    @property
    def leader(self) -> Leader | None:
        """Who leads, as far as is known."""
        return self.me if self.leads.holds else self.election.leader()

    def refusal(self) -> CrossfleetError:
        """What those are told who need the leader."""
        leader = self._other()
        silent = leader is not None and self._silence.of(leader)
        if leader is not None and not silent:
            return NotLeader(f"{leader.name} leads, at {leader.address}", leader=leader.address)
        if self.draining.begun:
            return DrainingError("the coordinator is going down", service="coordinator", retry_after=1.0)
        if leader is not None:
            why = f"{leader.name} leads as far as is known, and takes no connections at {leader.address}"
            return NoLeader(why, retry_after=_ELECTION_SECONDS)
        return NoLeader("no coordinator leads at this moment", retry_after=_ELECTION_SECONDS)

    def _other(self) -> Leader | None:
        """Who leads elsewhere, as far as is known. Names alone may be the same, as of containers."""
        leader = self.election.leader()
        return None if self.alone or leader == self.me else leader

    async def run(self) -> None:
        """Until the coordinator drains; then the term has been handed over. Raises what a restart does not mend."""
        watching = asyncio.ensure_future(self._watch_election())
        try:
            while not self.draining.begun:
                await self._stand_once()
        finally:
            watching.cancel()
            self._silence.close()
            self.switch.settle()

    async def _watch_election(self) -> None:
        while True:
            self._judge()
            await self.election.wait_changed()

    def _judge(self) -> None:
        leader = self._other()
        if self.leads.holds or (leader is not None and not self._silence.of(leader)):
            self.switch.settle()
        else:
            self.switch.expect()

    async def _stand_once(self) -> None:
        try:
            term = await self._elected()
            if term is not None:
                await self._serve(term)
                await self._pause()
        except SchemaVersionUnsupported:
            raise
        except CrossfleetError as error:
            if self.alone:
                raise
            if error.message != self._told:
                self._told = error.message
                get_logger().warning("could not lead", reason=error.reason, cause=error.message)
            await self._pause()

    async def _elected(self) -> Term | None:
        """The term, once elected; None where the coordinator drains before."""
        campaign = asyncio.ensure_future(self.election.campaign(self.me))
        try:
            await _first(campaign, self.draining.wait())
        finally:
            if not campaign.done():
                campaign.cancel()
                with suppress(asyncio.CancelledError):
                    await campaign
        return None if campaign.cancelled() else campaign.result()

    async def _serve(self, term: Term) -> None:
        try:
            async with AsyncExitStack() as stack:
                elected = asyncio.get_running_loop().time()
                leadership = await self._taken_over(stack, term)
                if leadership is None:
                    return
                self._begin(leadership, term, elected)
                try:
                    await self._until_over(leadership, term)
                finally:
                    self.leads.set(False)
        finally:
            await self._resign(term)

    async def _taken_over(self, stack: AsyncExitStack, term: Term) -> Leadership | None:
        """What leads; None where the coordinator drains, or the term is over, before: a database may hang."""
        taking = asyncio.ensure_future(self.take_over(stack, term))
        try:
            await _first(taking, term.wait_lost(), self.draining.wait())
        finally:
            if not taking.done():
                taking.cancel()
                with suppress(asyncio.CancelledError):
                    await taking
        leadership = None if taking.cancelled() else taking.result()
        if leadership is not None and term.remaining() > 0:
            return leadership
        get_logger().info("does not lead: the term, or the coordinator, was over before the ledger was taken over")
        return None

    def _begin(self, leadership: Leadership, term: Term, elected: float) -> None:
        self.switch.lead(leadership.handlers())
        self.leads.set(True)
        self._told = ""
        self._pauses = delays(first=_FIRST_PAUSE, longest=_LAST_PAUSE)
        if not self.alone:
            me, seconds = self.me, round(asyncio.get_running_loop().time() - elected, 4)
            get_logger().info(
                "leads", name=me.name, address=me.address, revision=term.revision, take_over_seconds=seconds
            )

    async def _until_over(self, leadership: Leadership, term: Term) -> None:
        lost, failed = asyncio.ensure_future(term.wait_lost()), asyncio.ensure_future(leadership.wait_failed())
        try:
            await _first(lost, failed, self.draining.wait())
        finally:
            for wait in (lost, failed):
                wait.cancel()
        if self.draining.begun and term.remaining() > 0 and not failed.done():
            await self._hand_over(leadership, term)
            return
        ended = next((wait.result() for wait in (lost, failed) if wait.done()), "the term is over")
        self._step_down(leadership, ended)
        await self._resign(term)  # another may lead while what is left here is put away

    def _step_down(self, leadership: Leadership, cause: str) -> None:
        leadership.stop_deciding(cause)
        get_logger().error("leads no more", cause=cause)
        if self.alone or leadership.broken:
            self.draining.begin(cause)
        if not self.alone:
            self._follow()
        leadership.end_streams(cause)

    def _follow(self) -> None:
        self.leads.set(False)
        self.switch.follow()
        self._judge()

    async def _hand_over(self, leadership: Leadership, term: Term) -> None:
        if self.alone:
            leadership.end_streams(self.draining.cause)
            await leadership.finish(holding=False)
            return
        await leadership.finish(holding=True)
        self._follow()
        await self._resign(term)
        with suppress(TimeoutError):
            async with asyncio.timeout(_SUCCESSOR_SECONDS):
                while self._other() is None:
                    await self.election.wait_changed()
        leadership.stop_deciding("it was handed over")
        leadership.end_streams(self.draining.cause)

    async def _resign(self, term: Term) -> None:
        if self._resigned is term:
            return
        self._resigned = term
        try:
            async with asyncio.timeout(_RESIGN_SECONDS):
                await term.resign()
        except (CrossfleetError, TimeoutError) as error:
            get_logger().warning(
                "could not resign: the term ends with its lease", cause=str(error) or "no answer in time"
            )

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(next(self._pauses)):
                await self.draining.wait()


async def _first(*waits: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    """Returns when one of the waits is over. Those that were no futures are cancelled then."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, wait in zip(tasks, waits, strict=True):
            if task is not wait:
                task.cancel()
