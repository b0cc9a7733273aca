"""A simulated coordinator: a machine whose process stands for election, leads under a term, or names who does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.election.etcd import open_election
from crossfleet.coordinator.election.port import Leader, Term
from crossfleet.coordinator.ledger.patience import Patience
from crossfleet.coordinator.opening import open_ledger
from crossfleet.coordinator.roles.terms import Terms
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import CrossfleetError, ElectionResetNeeded, NoLeader
from crossfleet.foundation.etcd.settings import EtcdSettings
from tests.simulation.clock import SimClock
from tests.simulation.database import SqlConnection
from tests.simulation.leading import Leading
from tests.simulation.loop import Machine, Process
from tests.simulation.network import Channel, Server
from tests.simulation.wires import Wire

_WILD = 0.2  # beyond this rate of a clock nobody can keep a lease
_RESTART = 0.3  # simulated seconds until whoever watches over it has started it again
_PINGED = 1.0  # simulated seconds
_REFUSE, _LEAVE = 1.0, 3.0  # simulated seconds of patience with the database
_QUEUE = 10_000
LEADER_LEASE = 2.0


class SimCoordinator:
    """Its process comes and goes; `leading` is the term that it leads under, if any."""

    def __init__(self, world: Any, number: int, machine: Machine) -> None:
        self.world, self.machine = world, machine
        self.name = machine.name
        self.address = f"{self.name}:1"
        self.clock = SimClock(world.loop)
        self.random = world.chance.stream(f"coordinator {number}")
        self.wire = Wire(world.chance.stream(f"wire {self.name}"), world.spy(self.name))
        self.process: Process | None = None
        self.server: Server | None = None
        self.sql: SqlConnection | None = None
        self.leading: Leading | None = None
        self.terms: Terms | None = None
        self.draining = Draining()
        self._starts = 0
        self._down = _RESTART

    @property
    def alive(self) -> bool:
        """Whether its process lives, be it paused."""
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start a process, unless one lives."""
        if self.alive:
            return
        self._starts += 1
        process = self.process = self.world.loop.process(f"{self.name}.{self._starts}", self.machine)
        process.on_death.append(self._died)
        self.server = Server(self.world.network, process, self.name)
        self.server.streams["Connect"] = self._connect
        self.sql = SqlConnection(self.world.store, process, self.world.network.blocked, self.world.terms.took_over)
        self.world.watch_task(process.start(self._run()), self.name)

    def etcd_channel(self) -> Channel:
        """What a client of etcd calls through."""
        return Channel(self.world.network, self.wire, self.name, lambda: self.world.etcd.server)

    def crash(self, seconds: float = _RESTART) -> None:
        """Its process dies, and is started again so much later."""
        self._down = seconds
        if self.process is not None:
            self.process.crash()

    def heal(self) -> None:
        """Everything works again, from now on."""
        self.wire.slow = 0.0
        self.world.disk_slow.clear()
        if self.sql is not None:
            self.sql.fails, self.sql.lost, self.sql.full = 0, 0, False
        if self.process is not None:
            self.process.resume()
        if abs(self.machine.rate - 1.0) > _WILD:
            self.machine.run_at(1.0, self.world.loop.now)
        self.start()

    def _died(self) -> None:
        self.leading, self.terms = None, None
        self.world.later(self._down, self.start)
        self._down = _RESTART

    def pause(self, seconds: float) -> None:
        """Its process stands still for so long; peers whose pings it does not answer let go of it."""
        process, server = self.process, self.server
        if process is None or server is None:
            return
        process.pause()
        self.world.later(seconds, process.resume)
        if seconds > _PINGED:
            self.world.later(_PINGED, server.sever)

    def drain(self) -> None:
        """Told to stop: hand over in good order. It is started again."""
        if self.process is not None:
            self.process.call(self.draining.begin, "told to stop")

    async def _run(self) -> None:
        """As main.py does: one process, which follows and leads."""
        await asyncio.sleep(0.05 * self.random.random())
        election = await open_election(EtcdSettings(endpoints="etcd:1"), "simulated", LEADER_LEASE, self.clock)
        self.draining = Draining()
        me = Leader(f"{self.name}.{self._starts}", self.address)
        self.terms = Terms(election, self.draining, self._take_over, False, me, frozenset(), {})
        await self.terms.run()
        self.crash()

    async def _take_over(self, stack: AsyncExitStack, term: Term) -> Leading:
        self.world.terms.won(self, term)
        patience = Patience(refuse=_REFUSE, leave=_LEAVE)
        opened: Any = SimpleNamespace(store=lambda: self.sql)
        try:
            writer = await open_ledger(stack, opened, term, leader=self.name, limit=_QUEUE, patience=patience)
        except ElectionResetNeeded:
            self.world.ask_operator()
            raise
        self.world.note(self.name, "leads", writer.epoch)
        self.leading = leading = Leading(self.world, self, writer)
        stack.callback(self._follow, leading)
        await stack.enter_async_context(leading.running())
        return leading

    def _follow(self, leading: Leading) -> None:
        self.world.note(self.name, "ends", leading.number, leading.writer.failed[:50])
        if self.leading is leading:
            self.leading = None

    def _connect(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        return self._serve(self.leading, requests)

    async def _serve(self, leading: Leading | None, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """As the switch: who began under a term is told at its end who leads then."""
        if leading is None:
            raise self._refusal()
        async for response in leading.fleet.serve(requests):
            yield response
        if leading is not self.leading:
            raise self._refusal()

    def _refusal(self) -> CrossfleetError:
        return self.terms.refusal() if self.terms is not None else NoLeader("it is being started")

    async def commit(self, command: Command) -> Any:
        """What a client gets: the answer, or an error."""
        if self.leading is None:
            raise self._refusal()
        return await self.leading.commit(command)
