"""One term of a coordinator: the real ledger, writer, sessions and scheduler link, from the take-over to the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from crossfleet.coordinator.core.care import waits_for_care
from crossfleet.coordinator.core.commands import Command, ForgetWorkers, PassTime, RecordCollection
from crossfleet.coordinator.core.deciders import Decider
from crossfleet.coordinator.core.departing import Memory, departed
from crossfleet.coordinator.core.health import CareForHosts, CarePolicy
from crossfleet.coordinator.ledger.writer import Committed, LedgerRejected, LedgerWriter
from crossfleet.coordinator.roles.methods import Handlers
from crossfleet.coordinator.scheduling.roster import External
from crossfleet.coordinator.scheduling.schedulers import Schedulers
from crossfleet.coordinator.sessions.fleet import FleetSessions
from crossfleet.coordinator.sessions.leases import Leases
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_reason
from tests.simulation.clock import SimIds

_TICK = 1.0  # simulated seconds: no test waits for them
_CARE = 0.5  # simulated seconds: no test waits for them
_REMEMBERED = 0.3  # simulated seconds: no test waits for them
POLICY = CarePolicy(
    share=0.5, failures=2.0, rounds=2, test_seconds=2.0, repair_seconds=1.0, canary_seconds=4.0, rest_seconds=0.5
)
"""Hosts are doubted soon, so that it happens within the few seconds of a seed."""
OTHER = External(Decider("other", canary=70.0), "sim:other")
"""The scheduler beside the fallback, in some of the seeds."""
# What the store may refuse a command for, though the command is sound.
_STORE = ("StoreFailed", "StoreFull")


class Leading:
    """The parts of a term, as assembly.py puts them together. `number` is its epoch."""

    def __init__(self, world: Any, coordinator: Any, writer: LedgerWriter) -> None:
        self._world, self._coordinator = world, coordinator
        self.number = writer.epoch
        self.broken = False
        self.writer = writer
        clock = coordinator.clock
        ids = SimIds(f"e{self.number}")
        leases = Leases(world.lease)
        self.fleet = FleetSessions(self.commit, self._record, self.number, leases, clock, ids, writer.state)
        fallback = ("sim:scheduler", "", "")
        beside = (OTHER,) if world.other is not None else ()
        self.schedulers = Schedulers(fallback, beside, lambda: writer.state, self.commit, clock, notice_seconds=0.5)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the ledger and the clock inside the block."""
        unsubscribe = self.writer.subscribe(self._committed)
        self.writer.foresee(self.schedulers.foreseen)
        parts = (self.fleet.watch_leases(), self.schedulers.run(), self._pass_time(), self._care())
        tasks = [asyncio.ensure_future(part) for part in parts]
        for task in tasks:
            self._world.watch_task(task, self._coordinator.name)
        try:
            yield
        finally:
            unsubscribe()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def handlers(self) -> Handlers:
        """None: the simulated server asks who leads."""
        return {}

    async def wait_failed(self) -> str:
        """Until the ledger can no longer be written."""
        return await self.writer.wait_failed()

    def stop_deciding(self, cause: str) -> None:
        """At once."""
        self.writer.depose(cause)

    async def finish(self, *, holding: bool) -> None:
        """Commits what was taken."""
        await self.writer.finish(holding=holding)

    def end_streams(self, cause: str) -> None:
        """Workers come back to the next leader."""
        self.fleet.close()

    def _committed(self, committed: Committed) -> None:
        state = self.writer.state
        self.fleet.committed(state, committed.events)
        self.schedulers.committed(state, committed.events)
        self._world.auditor.commits.told(self, committed)

    async def commit(self, command: Command) -> Any:
        """The answer, or the error that a caller gets."""
        try:
            return await self.writer.submit(command)
        except LedgerRejected as refused:
            rejection = refused.rejection
            sound = self.writer.failed or any(word in rejection.message for word in _STORE)
            if rejection.reason == "INTERNAL" and not sound:
                self._world.violate(f"a command broke the machine: {rejection.message}")
            raise error_from_reason(rejection.reason, rejection.message, dict(rejection.metadata)) from refused

    async def _record(self, command: RecordCollection) -> Any:
        history = self._world.history(command.cases)
        return await self.commit(replace(command, estimates=history) if history else command)

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            if self.writer.state.runs:
                try:
                    await self.commit(PassTime())
                except CrossfleetError as error:
                    self._world.note("pass time refused", error.reason)

    async def _care(self) -> None:
        while True:
            await asyncio.sleep(_CARE)
            if waits_for_care(self.writer.state):
                try:
                    await self.commit(CareForHosts(POLICY))
                except CrossfleetError as error:
                    self._world.note("care refused", error.reason)
            await self._forget()

    async def _forget(self) -> None:
        """As retention does it, but after seconds: whoever comes back then is new."""
        before = self._coordinator.clock.now() - _REMEMBERED
        names = departed(self.writer.state, Memory(before, before, before - 10 * _REMEMBERED))
        if names:
            try:
                await self.commit(ForgetWorkers(tuple(names)))
            except CrossfleetError as error:
                self._world.note("forgetting refused", error.reason)
