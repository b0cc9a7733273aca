"""Puts a process together: what it serves all the time, whether it leads or follows, and what leads while it does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crossfleet.coordinator import __version__
from crossfleet.coordinator.artifacts.place import place_of
from crossfleet.coordinator.assembly import Coordinator, assemble
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.election.port import Election, Leader, Term
from crossfleet.coordinator.ledger.database import Database
from crossfleet.coordinator.ledger.patience import NO_PATIENCE, Patience
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.opening import open_ledger, prepare
from crossfleet.coordinator.roles.following import METHODS, reads
from crossfleet.coordinator.roles.terms import Terms
from crossfleet.coordinator.servicers.fleet import Identity
from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.following.leading import LEADER
from crossfleet.foundation.serve import ServiceDefinition, serve

Ready = Callable[[str, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a coordinator has before it leads or follows. `alone`: no other can lead in its place."""

    settings: Settings
    sources: Mapping[str, str]
    folder: Path
    name: str
    database: Database
    election: Election
    alone: bool
    draining: Draining = field(default_factory=Draining)
    clock: Clock = field(default_factory=SystemClock)

    @property
    def patience(self) -> Patience:
        """With a file, the first failure is the end; a server may come back, or be there for another coordinator."""
        if not self.settings.database:
            return NO_PATIENCE
        wait = self.settings.database_wait_seconds
        return Patience(refuse=wait, leave=math.inf if self.alone else 2 * wait)

    async def serve(self, ready: Ready) -> None:
        """Serves until it drains. One that is alone is ready when it leads, others when they can answer reads.

        Raises what `Server.start` raises, and what keeps it from ever leading.
        """
        async with self.terms() as (terms, definition):
            run = _Run(terms, self.draining)
            self.draining.on_drain(run.over)

            def served(name: str, addresses: tuple[str, ...]) -> None:
                terms.me = Leader(self.name, self.settings.advertise or (addresses[0] if addresses else ""))
                run.begin()
                ready(name, addresses)

            try:
                if self.settings.database:
                    await prepare(self.database, self.settings.database_start_seconds)
                if self.alone:
                    await run.leading()
                await serve(definition, self.settings.server, draining=self.draining, ready=served)
            finally:
                self.draining.begin("not served any more")
                await run.over()
            run.check()

    @asynccontextmanager
    async def terms(self) -> AsyncIterator[tuple[Terms, ServiceDefinition]]:
        """The terms, which do not run yet, and what is served in all of them and in between."""
        queries = self.database.queries()

        async def take_over(stack: AsyncExitStack, term: Term) -> Coordinator:
            limit = self.settings.queue_commands
            writer = await open_ledger(
                stack, self.database, term, leader=self.name, limit=limit, patience=self.patience
            )
            coordinator = assemble(
                self.settings, self.folder, writer, queries, Draining(), self.clock, identity, self.sources
            )
            await stack.enter_async_context(coordinator.running())
            return coordinator

        identity = Identity(__version__, self.name, self.settings.embedded, lambda: terms.leader)
        answered = reads(self.settings, self.sources, self.folder, queries, identity, self.draining)
        terms = Terms(self.election, self.draining, take_over, self.alone, Leader(self.name, ""), METHODS, answered)
        definition = ServiceDefinition(
            "coordinator",
            terms.switch.servicers(),
            layers=[terms.switch.layer],
            conditions={LEADER: terms.leads},
        )
        # What it led when it was killed; whoever leads now, its output is missing there.
        place = place_of(self.settings.artifacts, self.folder, self.settings.artifacts_credentials_file)
        left = RunLogs(self.folder, place, 0, slot_cap_bytes=self.settings.slot_log_bytes)
        sealing = asyncio.ensure_future(left.keep_sealing(self.clock))
        try:
            yield terms, definition
        finally:
            sealing.cancel()
            await self.election.close()
            queries.close()


class _Run:
    """The task of the terms. What ends it ends the process."""

    def __init__(self, terms: Terms, draining: Draining) -> None:
        self._terms = terms
        self._draining = draining
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> asyncio.Task[None]:
        """The task, which has been begun once."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._terms.run())
            self._task.add_done_callback(lambda _: self._draining.begin("the coordinator cannot lead"))
        return self._task

    async def leading(self) -> None:
        """Begins, and waits until it leads. Raises what keeps it from that."""
        leads = asyncio.ensure_future(self._terms.leads.change.wait())
        try:
            await asyncio.wait([leads, self.begin()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leads.cancel()
        self.check()

    async def over(self) -> None:
        """Waits for its end, however that is."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def check(self) -> None:
        """Raises what has ended it."""
        if self._task is not None and self._task.done():
            self._task.result()
