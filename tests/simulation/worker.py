"""A simulated host: a shim and an agent. The agent is the real one over a simulated shim, disk and network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.foundation.errors import EnvironmentFailed
from crossfleet.foundation.following.route import Route
from crossfleet.worker import assembly
from crossfleet.worker.agent import Agent
from crossfleet.worker.artifacts import Then
from crossfleet.worker.config import Settings
from crossfleet.worker.core.backoff import Backoff
from crossfleet.worker.core.link import Link
from crossfleet.worker.core.records import Outgoing
from crossfleet.worker.core.window import Window
from crossfleet.worker.identity import Identity
from crossfleet.worker.runners.registry import Runners
from crossfleet.worker.selftest import Finding
from crossfleet.worker.translate.downward import Opening
from tests.simulation.loop import Process
from tests.simulation.network import Channel
from tests.simulation.shim import SimShim
from tests.simulation.slot import Line
from tests.simulation.wires import Wire

_TURN = 0.01  # simulated seconds: no test waits for them

_RUNNERS = Runners()


class Shelf:
    """A folder and its files on the host's disk."""

    def __init__(self, files: dict[str, str], path: str) -> None:
        self._files, self._path = files, path

    def mkdir(self, **_: object) -> None:
        """Folders are always there."""

    def __truediv__(self, name: str) -> Shelf:
        return Shelf(self._files, f"{self._path}/{name}")

    def write_text(self, text: str) -> None:
        self._files[self._path] = text

    def read_text(self) -> str:
        if self._path not in self._files:
            raise FileNotFoundError(self._path)
        return self._files[self._path]


class WatchedLink(Link):
    """The real link; what it forgets because it was acknowledged must be in the store."""

    def __init__(self, told: Callable[[Outgoing], None], window: Window) -> None:
        super().__init__(window)
        self._told = told

    def _forget(self, gone: Iterable[Outgoing]) -> None:
        gone = list(gone)
        for message in gone:
            self._told(message)
        super()._forget(gone)


class ShimPort:
    """The agent's end of the socket to the shim: lines in order, a moment late, for as long as both live."""

    def __init__(
        self, host: Host, on_line: Callable[[Line], None], on_lost: Callable[[], None], process: Process
    ) -> None:
        self._host, self._on_line, self._on_lost, self._process = host, on_line, on_lost, process
        self.lost = asyncio.Event()
        self.pid = 1
        self._shim: SimShim | None = None
        self._paused = False
        self._held: list[Line] = []
        self._due = 0.0

    async def attach(self, incarnation: str) -> None:
        while True:
            shim = self._host.ensure_shim()
            self.lost.clear()
            self._held.clear()
            self._paused = False  # a new connection is read
            self._shim = shim
            shim.process.on_death.append(partial(self._ended, shim))
            shim.process.call(shim.attach, self)
            await asyncio.sleep(_TURN)
            if self._shim is shim:
                return

    def send(self, *lines: Line) -> None:
        shim = self._shim
        for line in lines:
            if self._host.wire.spy is not None:
                self._host.wire.spy("shim is told", line)
            if shim is not None and shim.process.alive:
                self._later(shim.process, shim.take, self, dict(line))

    def pause(self, paused: bool) -> None:
        self._paused = paused
        if not paused:
            held, self._held = self._held, []
            for index, line in enumerate(held):
                if self._paused:
                    self._held = held[index:] + self._held
                    return
                self._on_line(line)

    def hear(self, line: Line) -> None:
        """Called by the shim."""
        if self._host.wire.spy is not None:
            self._host.wire.spy("shim says", line)
        self._later(self._process, self._line, self._shim, line)

    def _line(self, shim: SimShim | None, line: Line) -> None:
        if shim is not self._shim:
            return
        if self._paused:
            self._held.append(line)
        else:
            self._on_line(line)

    def _later(self, process: Process, function: Callable[..., Any], *arguments: Any) -> None:
        loop = process.loop
        self._due = max(self._due + 1e-9, loop.now + 0.00005)
        loop.outside(self._due, process.call, function, *arguments)

    def _ended(self, shim: SimShim) -> None:
        if self._shim is shim and self._process.alive:
            self._shim = None
            self._process.call(self._on_lost)
            self._process.call(self.lost.set)

    def detach(self) -> None:
        """Let go."""
        if self._shim is not None:
            self._shim.detach(self)


class Host:
    """One machine: its agent and shim come and go, its disk stays unless the machine is lost."""

    def __init__(self, world: Any, name: str, slots: int, side: str, gpus: int) -> None:
        self.world, self.name = world, name
        self.random = world.chance.stream(f"host {name}")
        self.health = world.chance.stream(f"health {name}")
        self.wire = Wire(world.chance.stream(f"wire {name}"), world.spy(name))
        self._machine = world.machine(name)
        labels = {"side": side}
        self.identity = Identity(name, labels, (), slots, float(slots), 1 << 34, ("noop", "pytest"))
        self.devices = [Device(device_id=f"{name}-gpu{one}", device_class="gpu") for one in range(gpus)]
        for number, device in enumerate(self.devices):
            device.attributes["model"].string_value = "AB"[number % 2]
        self.agent: Agent | None = None
        self.process: Process | None = None
        self.shim: SimShim | None = None
        self._files: dict[str, str] = {}
        self._journal: list[Line] = []
        self._boots = 0
        self._down = 0

    def ensure_shim(self) -> SimShim:
        """The shim that lives, or a new one that takes over the journal."""
        if self.shim is None or not self.shim.process.alive:
            self._boots += 1
            boot = f"{self.name}-boot{self._boots}"
            journal = self.shim.journal if self.shim is not None else []
            process = self.world.loop.process(f"shim {boot}", self._machine)
            self.shim = SimShim(self.world, self.name, boot, process, self.world.chance.stream(f"shim {boot}"))
            self.shim.inherit(journal)
        return self.shim

    def start(self) -> None:
        """Start an agent."""
        self._down -= 1
        if self._down > 0 or (self.process is not None and self.process.alive):
            return
        process = self.process = self.world.loop.process(f"agent {self.name}", self._machine)
        process.call(self._assemble, process)

    def crash_agent(self, seconds: float) -> None:
        """The agent is killed; another is started later. Its connections break."""
        if self.process is None or not self.process.alive:
            return
        if self.shim is not None and self.port is not None:
            self.shim.detach(self.port)
        self.process.crash()
        self.break_connections()
        self._start_later(seconds)

    def crash_shim(self) -> None:
        """The shim is killed with all that it runs; its journal is on disk."""
        if self.shim is not None:
            self.shim.process.crash()

    def lose(self, seconds: float) -> None:
        """The machine is lost with its disk; a new one of that name comes later."""
        self.crash_shim()
        self.shim = None
        self._files.clear()
        self.crash_agent(seconds)

    def break_connections(self) -> None:
        """Every stream of this host breaks."""
        self.world.network.break_all(self.name)

    def _start_later(self, seconds: float) -> None:
        self._down = max(self._down, 0) + 1
        self.world.loop.outside(self.world.loop.now + seconds, self.start)

    port: ShimPort | None = None

    def _assemble(self, process: Process) -> None:
        """The agent as it is put together for real, over simulated surroundings."""
        world, made = self.world, dict[str, Any]()

        def port(process_: Any, on_line: Any, on_lost: Any) -> Any:
            made["port"] = self.port = ShimPort(self, on_line, on_lost, process)
            return self.port

        by_id = {one.device_id: one for one in self.devices}
        inventory = SimpleNamespace(devices=self.devices, by_id=by_id, errors={}, troubles={}, looked=True)
        inventory.shared_in_vain = []
        inventory.look, inventory.state, inventory.has_more_than_processors = self._look, [], False
        late = SimpleNamespace(run=_for_ever, wake=_nothing)
        logs = SimpleNamespace(system=_nothing, output=_nothing, run=_for_ever, flush=self._wait_for_nothing)
        artifacts = SimpleNamespace(collect=_nothing, end=_at_once, settle=self._wait_for_nothing)
        preparation = SimpleNamespace(prepare=self._prepare, place=lambda name: Shelf(self._files, name))
        surroundings: dict[str, Any] = {
            "Runners": lambda: _RUNNERS,
            "Link": lambda: WatchedLink(self._acknowledged, Window(most_cases=world.window)),
            "identity": lambda settings, names: self.identity,
            "Search": _nothing,
            "SelfTest": lambda *_: SimpleNamespace(host=self._look_at_itself, device=self._look_at_itself),
            "Inventory": lambda search, **_: inventory,
            "ShimProcess": lambda *_, **__: SimpleNamespace(forget=_nothing),
            "ShimLink": port,
            "Route": lambda addresses, check: Route(addresses, _nothing, draw=self.random.random),
            "Backoff": lambda random, **_: Backoff(self.random.random, first=0.05),
            "LogPusher": lambda *_: logs,
            "Artifacts": lambda *_, **__: artifacts,
            "Uploading": _nothing,
            "late": SimpleNamespace(Limits=_nothing, LateArtifacts=lambda *_: late),
            "_preparation": lambda *_: preparation,
            "_dialler": lambda settings: self._channel,
        }
        addresses = [one.address for one in world.coordinators]
        self.random.shuffle(addresses)
        settings = Settings(coordinator=",".join(addresses), grace_seconds=0.2)
        with patch.multiple(assembly, **surroundings):
            agent = self.agent = assembly.assemble(settings, Path("/state"), Path("/cache"), _nothing)
        world.watch_task(process.start(agent.run()), f"agent {self.name}")

    def _acknowledged(self, message: Outgoing) -> None:
        self.world.auditor.answers.acknowledged(self.name, message)

    def _channel(self, address: str) -> Any:
        return Channel(self.world.network, self.wire, self.name, lambda: self.world.server(address))

    async def _look(self) -> bool:
        return False

    async def _look_at_itself(self, *_: str) -> list[Finding]:
        await asyncio.sleep(0.01 + 0.1 * self.health.random())
        good = self.world.healing or self.health.random() < 0.7
        return [Finding("disk", good, "as it happens")]

    async def _wait_for_nothing(self, *_: object) -> None:
        return None

    async def _prepare(self, order: Any, launch: Any, devices: Any, say: Any) -> Opening:
        await asyncio.sleep(0.01 + 0.1 * self.random.random())
        suite = self.world.suites[launch.arguments[0]]
        if not self.world.healing and self.random.random() < suite.trouble:
            raise EnvironmentFailed("the disk of this host is having a day")
        return Opening(
            allocation=order.allocation_id,
            runner="pytest",
            arguments=launch.arguments,
            python="/python",
            as_module=False,
            directory="/",
            environment={},
            slot_environments={slot: {} for slot in order.slots},
            artifacts="/artifacts",
        )


async def _for_ever() -> None:
    await asyncio.Event().wait()


def _at_once(allocation: str, about: object, then: Then) -> None:
    """Nothing was left that could be kept."""
    then((), ())


def _nothing(*_: object, **__: object) -> None:
    return None
