"""The agent: shim on one side, coordinator on the other, and what lives in between."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.wait import first_of
from crossfleet.worker.artifacts import Artifacts
from crossfleet.worker.connection import Connection
from crossfleet.worker.core.link import Link
from crossfleet.worker.devicewatch import DeviceWatch
from crossfleet.worker.identity import Identity
from crossfleet.worker.inventory import Inventory
from crossfleet.worker.lasting import Lasting
from crossfleet.worker.late import LateArtifacts
from crossfleet.worker.logs import LogPusher
from crossfleet.worker.opening import Openings
from crossfleet.worker.orders import Orders
from crossfleet.worker.reports import Reports
from crossfleet.worker.session import Session
from crossfleet.worker.shimlink import ATTACH_SECONDS, Line, ShimLink
from crossfleet.worker.shimstart import ShimProcess
from crossfleet.worker.succession import TAINT, Succession
from crossfleet.worker.translate import facts
from crossfleet.worker.waiting import until

_SETTLE_SECONDS = 2.0
_REVIVE_SECONDS = 0.2
_REPLAY_SECONDS = 1.0


class Agent:
    """Runs until `leave` or `abandon`. Its parts are given; it decides only when they run.

    The session and the shim come and go independently: a lost session leaves tests running, a lost shim is a new
    incarnation and a new session.
    """

    def __init__(self, identity: Identity, link: Link, inventory: Inventory, on_ready: Callable[[], None]) -> None:
        """`on_ready` is called once, when the first Welcome has come. Give the other parts to `assemble`."""
        self.identity = identity
        self.link = link
        self.inventory = inventory
        self.incarnation = ""
        self._on_ready: Callable[[], None] | None = on_ready
        self._attached = asyncio.Event()
        self._over = asyncio.Event()
        self._leaving = False
        self._paused = False
        self._trouble = ""
        self._replayed = 0
        self._asked: dict[str, set[int]] = {}
        self._behind: set[asyncio.Task[None]] = set()
        self.taints = list(identity.taints)
        self.tidy: Callable[[list[str]], Coroutine[Any, Any, None]] = _nothing_to_tidy

    def assemble(
        self,
        *,
        process: ShimProcess,
        shim: ShimLink,
        session: Session,
        connection: Connection,
        orders: Orders,
        succession: Succession,
        openings: Openings,
        reports: Reports,
        logs: LogPusher,
        artifacts: Artifacts,
        late: LateArtifacts,
        lasting: Lasting,
        devices: DeviceWatch,
    ) -> None:
        """The parts that need the agent's own methods."""
        self.process, self.shim, self.session, self.connection = process, shim, session, connection
        self.orders, self.openings, self.reports = orders, openings, reports
        self.succession, self.devices = succession, devices
        self.logs, self.artifacts, self.late, self.lasting = logs, artifacts, late, lasting

    async def run(self) -> None:
        """Attach and dial at the same time, then serve. Raises CrossfleetError when there is no going on."""
        parts: list[Coroutine[Any, Any, None]] = [
            self._over.wait(),  # type: ignore[list-item]
            self._keep_attached(),
            self.connection.hold(self._hello, lambda: self._leaving),
            self.logs.run(),
            self.lasting.run(),
            self.late.run(),
        ]
        try:
            await first_of(*parts)
        except Exception:
            if not self._leaving:
                raise

    async def drain(self, reason: str) -> None:
        """Tell the coordinator, as soon as there is one, to give nothing new. What runs goes on.

        The coordinator alone decides from then on, also when work may come again.
        """
        while not self.link.connected:
            await until(lambda: self.link.connected, _SETTLE_SECONDS)
        self.say(facts.draining(reason, leaving=False))

    async def leave(self, reason: str, *, drain_seconds: float, grace: float) -> None:
        """Go in good order: tell the coordinator, let running attempts end, cancel the rest, end the shim.

        Cases that were cut off count as this host's loss, so that they are executed elsewhere.
        """
        self.orders.refuse(f"worker {self.identity.name} is leaving: {reason}")
        self.say(facts.draining(self.orders.refusing, leaving=True))
        await self._know_what_it_holds()
        await until(lambda: not self._running(), drain_seconds)
        self.reports.interrupt(f"worker {self.identity.name} left: {reason}")
        running = self._running()
        if running:
            self.orders.cancel(running, grace)
            await until(lambda: not self._running(), grace + _SETTLE_SECONDS)
        await self.artifacts.settle(_SETTLE_SECONDS)
        await self.logs.flush(_SETTLE_SECONDS if self.link.connected else 0)
        await until(lambda: not self.link.connected or not self.link.window.unacknowledged, _SETTLE_SECONDS)
        self._leaving = True
        self.session.leave()
        await self.shim.stop(_SETTLE_SECONDS)
        await until(lambda: not self.link.connected, _SETTLE_SECONDS)
        self._over.set()

    async def step_aside(self) -> None:
        """Go without ending the shim: what runs goes on, and the next agent takes it over. Tell nobody."""
        self._leaving = True
        self.openings.drop()
        self.shim.detach()
        self._over.set()

    async def abandon(self) -> None:
        """Go at once: end the shim and what it runs, tell nobody."""
        self._leaving = True
        await self.shim.stop(_SETTLE_SECONDS)
        self._over.set()

    def on_welcome(self, welcome: wire.Welcome) -> None:
        """A session begins."""
        self.connection.welcomed()
        self.lasting.welcomed()
        self.orders.welcome(welcome)
        self._ask_again()
        self.succession.review(self.replayed)
        if self.orders.refusing:
            self.say(facts.draining(self.orders.refusing, leaving=True))
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None
            self._beside(self.devices.run())

    def _ask_again(self) -> None:
        """What slots have wanted since Hello was written could not be said before the Welcome."""
        for holding in self.link.holdings.all():
            new = holding.wanting - self._asked.get(holding.allocation, set())
            if new:
                self.link.say(facts.want(holding.allocation, sorted(new)), allocation=holding.allocation)

    def replayed(self) -> bool:
        """Whether everything that the shim's journal held when it was attached has been taken in."""
        return self.link.window.seen(self._replayed)

    def on_message(self, message: wire.CoordinatorMessage) -> None:
        """Carry it out."""
        self.orders.carry_out(message)
        self.succession.review(self.replayed)
        self._make_room()

    def on_sent(self) -> None:
        """Something has left."""
        self._make_room()

    def on_line(self, line: Line) -> None:
        """The shim has said something."""
        self.reports.take(line)
        self._make_room()

    def on_attached(self, line: Line) -> None:
        """The shim answers: this is its life."""
        boot = line["boot"]
        if self.incarnation and boot != self.incarnation:
            self._start_over()
        self.incarnation = boot
        first, following = int(line["first_sequence"]), int(line["next_sequence"])
        # Of an empty journal nothing comes, whatever its number.
        self._replayed = following - 1 if first < following else 0
        self.succession.attached(line)
        self._retaint()
        self._attached.set()
        self._beside(self.tidy([holding.allocation for holding in self.link.holdings.all()]))

    def on_trouble(self, cause: str) -> None:
        """The host cannot go on as it should (`disk_full`); empty: it can again. Kept as a taint, against more work."""
        self._trouble = cause
        self._retaint()

    def tell_devices(self) -> None:
        """The devices are not what they were."""
        found = self.inventory
        self.say(facts.devices_changed(found.devices, self.taints, found.troubles, looking=not found.looked))

    def _retaint(self) -> None:
        passing = [*([self._trouble] if self._trouble else []), *([TAINT] if self.succession.due else [])]
        taints = [*self.identity.taints, *passing]
        if taints != self.taints:
            self.taints = taints
            self.tell_devices()

    def on_shim_lost(self) -> None:
        """The shim is gone. Whether it comes back as itself or as another shows when it is attached again."""
        get_logger().error("the shim is gone", worker=self.identity.name)
        self._attached.clear()
        self.session.abort("the shim is gone")

    async def _keep_attached(self) -> None:
        while not self._leaving:
            await self.shim.attach(secrets.token_hex(8))
            await self.shim.lost.wait()
            self.process.forget()
            await asyncio.sleep(_REVIVE_SECONDS)

    async def _hello(self) -> wire.ConnectRequest:
        await self._attached.wait()
        # What the journal still holds belongs behind this Hello: its attempts have ended.
        await until(lambda: self.replayed() or self.link.window.full, _REPLAY_SECONDS)
        worker = self.identity.worker(self.incarnation, self.inventory)
        worker.taints[:] = self.taints
        # A shim of another version may not understand it.
        worker.gives_back_slots = not self.succession.due
        self._asked = {holding.allocation: set(holding.wanting) for holding in self.link.holdings.all()}
        return facts.hello(worker, self.link)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    def _start_over(self) -> None:
        self.openings.drop()
        self.lasting.start_over()
        self.link.reborn()

    async def _know_what_it_holds(self) -> None:
        """An agent that has just come may be told to go before its shim has said what runs in it."""
        await until(self._attached.is_set, ATTACH_SECONDS)
        if self._running() or not self.replayed():
            await until(lambda: self.link.connected, _SETTLE_SECONDS)

    def _running(self) -> list[int]:
        return [attempt for holding in self.link.holdings.all() for attempt in holding.running]

    def _make_room(self) -> None:
        """Let the shim wait while the coordinator does not keep up."""
        full = self.link.window.full
        if full != self._paused:
            self._paused = full
            self.shim.pause(full)

    def say(self, message: wire.WorkerMessage) -> None:
        """Send what may get lost, now."""
        self.link.say(message)
        self.session.wake()


async def _nothing_to_tidy(_: list[str]) -> None:
    return None
