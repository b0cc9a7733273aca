"""A simulated coordinator process: the real ledger, writer, sessions and scheduler link over a store that may fail it."""

from __future__ import annotations

import asyncio
from typing import Any

from crossfleet.coordinator.core.care import waits_for_care
from crossfleet.coordinator.core.commands import CareForHosts, Command, PassTime, RecordCollection
from crossfleet.coordinator.core.health import CarePolicy
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.writer import Committed, LedgerRejected, LedgerWriter
from crossfleet.coordinator.scheduling.link import SchedulerLink
from crossfleet.coordinator.sessions.fleet import FleetSessions
from crossfleet.coordinator.sessions.leases import Leases
from crossfleet.foundation.errors.status import error_from_reason
from tests.simulation.clock import SimClock, SimIds
from tests.simulation.network import Server

_TICK = 1.0  # simulated seconds: no test waits for them
_CARE = 0.5  # simulated seconds: no test waits for them

POLICY = CarePolicy(
    share=0.5, failures=2.0, rounds=2, test_seconds=2.0, repair_seconds=1.0, canary_seconds=4.0, rest_seconds=0.5
)
"""Hosts are doubted soon, so that it happens within the few seconds of a seed."""


class SimCoordinator:
    """One term of leadership, from the take-over to the death or deposition of its process."""

    def __init__(self, world: Any, number: int) -> None:
        self.world = world
        self.number = number
        self.process = world.loop.process(f"coordinator {number}")
        self.clock = SimClock(world.loop)
        self.server = Server(self.process)
        self.ledger = Ledger(world.store)
        self.ledger.open(f"coordinator {number}", "simulated", number)
        self.writer: LedgerWriter
        self.fleet: FleetSessions
        self.link: SchedulerLink
        self.process.call(self._begin)

    def _begin(self) -> None:
        world = self.world
        self.writer = LedgerWriter(self.ledger, self.clock.now)
        ids = SimIds(f"c{self.number}")
        leases = Leases(world.lease)
        self.fleet = FleetSessions(
            self.commit, self._record, self.ledger.epoch, leases, self.clock, ids, self.writer.state
        )
        self.link = SchedulerLink(
            "sim:scheduler", "", lambda: self.writer.state, self.commit, self.clock, notice_seconds=0.5
        )
        self.writer.subscribe(self._committed)
        self.writer.foresee(self.link.foreseen)
        self.server.streams["Connect"] = self.fleet.serve
        for name, work in {
            "writer": self.writer.start(),
            "leases": self.fleet.watch_leases(),
            "scheduler link": self.link.run(),
            "time": self._pass_time(),
            "care": self._care(),
            "failure": self._wait_failed(),
        }.items():
            world.watch_task(self.process.start(work), f"coordinator {name}")
        world.serves(self)

    def _committed(self, committed: Committed) -> None:
        state = self.writer.state
        self.fleet.committed(state, committed.events)
        self.link.committed(state, committed.events)
        self.world.auditor.told(self, committed)

    async def commit(self, command: Command) -> Any:
        """The answer, or the error that a caller gets."""
        try:
            return await self.writer.submit(command)
        except LedgerRejected as refused:
            rejection = refused.rejection
            if rejection.reason == "INTERNAL" and not self.writer.failed:
                self.world.violate(f"a command broke the machine: {rejection.message}")
            raise error_from_reason(rejection.reason, rejection.message, dict(rejection.metadata)) from refused

    async def _record(self, command: RecordCollection) -> Any:
        return await self.commit(command)

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            if self.writer.state.runs:
                try:
                    await self.commit(PassTime())
                except Exception as error:  # deposed: the process is about to end
                    self.world.note("pass time refused", str(error)[:40])
                    return

    async def _care(self) -> None:
        while True:
            await asyncio.sleep(_CARE)
            if waits_for_care(self.writer.state):
                try:
                    await self.commit(CareForHosts(POLICY))
                except Exception as error:  # deposed: the process is about to end
                    self.world.note("care refused", str(error)[:40])
                    return

    async def _wait_failed(self) -> None:
        cause = await self.writer.wait_failed()
        self.world.note("leader ends", self.number, cause[:50])
        self.process.crash()
