"""One seed: coordinators, a fleet, runs and faults; then everything is healed and every run must finish."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import grpc

from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import SubmitRun
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.store import Batch
from crossfleet.foundation.errors import CrossfleetError
from tests.simulation import patches
from tests.simulation.auditor import Auditor
from tests.simulation.bounds import check_bounds
from tests.simulation.client import SimClient
from tests.simulation.clock import Chance
from tests.simulation.coordinator import SimCoordinator
from tests.simulation.etcd import SimEtcd
from tests.simulation.fault import Fault
from tests.simulation.faults import inflict, make_faults
from tests.simulation.fleet_faults import APART, BESIDE
from tests.simulation.leading import Leading
from tests.simulation.loop import Died, Machine, SimLoop, Stuck, current
from tests.simulation.network import Server
from tests.simulation.scheduler import SimScheduler
from tests.simulation.suites import (
    MEMORY,
    SimSuite,
    make_history,
    make_rerun_policy,
    make_stragglers,
    make_submission,
    make_suite,
    with_classes,
    with_comparisons,
    with_dependencies,
    with_places,
    with_portions,
    with_speculation,
    with_whole_hosts,
)
from tests.simulation.terms import Terms
from tests.simulation.wires import Network
from tests.simulation.worker import Host

_FOLD = 0.5  # simulated seconds: no test waits for them

_LOOK = 0.25  # simulated seconds: no test waits for them

_FAULTS_END = 9.5
_PATIENCE = 240.0  # simulated seconds: a quota of one slot makes runs with stragglers follow one another
_LOOKS_BESIDE, _LOST_BESIDE = (4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0), 0.5
_BESIDE = 0.3  # of the seeds have a scheduler beside the fallback
_ABSENT = 0.2  # of these have one that says nothing at first
_COORDINATORS = 3
_HIDING = 0.3  # so often somebody hides a device for a while
_LIMITING = 0.3  # so often what runs hold is limited
_SHARING = 0.3  # of the seeds have devices of which several runs hold portions
_CLASSES = 0.3  # so often runs are of priority classes
_COMPARING = 0.25  # so often targets run only when what they need has changed
_RESERVING = 0.3  # so often somebody reserves a worker for a while
_DRIFT = 0.05  # rates of clocks differ by at most twice as much; a lease's margin covers it
_SETTLED = 6.0  # simulated seconds after which no request of before is on its way
_OPERATOR = 2.0  # simulated seconds until an operator has looked at what needs one


class Violation(Exception):
    """Something that must always hold did not."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a seed. `violation` is empty when all was well; `digest` is that of the whole trace."""

    seed: int
    violation: str
    digest: str
    steps: int
    seconds: float
    faults: list[Fault]
    trace: list[str]
    seen: dict[str, int]


class World:
    """Everything that is simulated, and what the parts of it need of each other."""

    def __init__(self, seed: int, *, faults: Sequence[Fault] | None = None, keep_trace: bool = False) -> None:
        self.chance = Chance(seed)
        self._keep = keep_trace
        self.trace: list[str] = []
        random = self.chance.stream("world")
        self.loop = SimLoop()
        disk = self._disk = self.chance.stream("disk")
        self.loop.disk_delay = self._disk_delay
        self.loop.on_the_way = lambda: disk.random() < 0.5
        self.seed = seed
        self.lease = 2.0
        self.window = random.choice([4, 64, 4096])
        self.fold_rate = 0.01
        self.healing = False
        self.over = False
        self.client_loss = 0.0
        self.truth: dict[tuple[int, str], str] = {}
        self.unexplained: dict[str, float] = {}
        self.stranded: dict[tuple[int, str, bool], float] = {}
        self.leaving: dict[tuple[int, str, str, int], float] = {}
        self.doom = ""
        self.daze = ("", 0.0)
        self.disk_slow: dict[str, float] = {}
        self.violation = ""
        self._hash = hashlib.sha256()
        self.network = Network(self.loop, self.chance.stream("network"))
        self.terms = Terms(self)
        self.store = MemoryStore()
        self.store.on_commit = self._on_commit
        self.auditor = Auditor(self)
        self._clocks = self.chance.stream("clocks")
        self.etcd = SimEtcd(self, self.machine("etcd"))
        self.coordinators = [SimCoordinator(self, one, self.machine(f"c{one}")) for one in range(_COORDINATORS)]
        self.scheduler = SimScheduler(self)
        # A stream of its own: seeds without it stay what they were.
        beside = self.chance.stream("beside").random() < _BESIDE
        self.other = SimScheduler(self, "other") if beside else None
        absent = self.chance.stream("absent")
        if self.other is not None and absent.random() < _ABSENT:
            self.other.absent_until = absent.uniform(1.0, 9.0)
        sides = ["left", "right"]
        self.hosts = [
            Host(self, f"w{one}", random.randint(1, 4), sides[one % 2], 1 + one % 2 if one != 1 else 0)
            for one in range(random.randint(2, 4))
        ]
        sharing = self.chance.stream("sharing").random() < _SHARING
        for device in (device for host in self.hosts for device in host.devices if sharing):
            device.shareable, device.capacities["memory"] = True, MEMORY
        trouble = random.random() < 0.3
        names = [host.name for host in self.hosts]
        made = [make_suite(random, number, names, trouble=trouble) for number in range(random.randint(2, 3))]
        self.suites: dict[str, SimSuite] = {suite.name: suite for suite in made}
        self.speeds: dict[str, float] = {}
        self._apart = self._straggling = False
        self.clients = [SimClient(self, one, number) for number, one in enumerate(self._submissions(random, made))]
        self.people = self.loop.process("people")
        self.faults = list(faults) if faults is not None else self._drawn_faults()

    def _submissions(self, random: Random, made: list[SimSuite]) -> list[SubmitRun]:
        """What runs are asked for, one of each suite."""
        # A stream of its own: seeds without reruns stay what they were.
        reruns = [make_rerun_policy(self.chance.stream("reruns"), suite) for suite in made]
        depending, placing = self.chance.stream("dependencies"), self.chance.stream("places")
        self._straggling = self._apart = make_stragglers(self.chance.stream("stragglers"), made)
        history, speeds = self.chance.stream("history"), self.chance.stream("speeds")
        for suite in made:
            make_history(history, suite)
        self.speeds = {host.name: speeds.choice([0.5, 1.0, 1.0, 4.0]) for host in self.hosts}
        asked = [make_submission(random, number, suite, reruns[number]) for number, suite in enumerate(made)]
        asked = [with_dependencies(depending, one) for one in asked]
        comparing = self.chance.stream("comparing")
        if comparing.random() < _COMPARING:
            asked = [with_comparisons(comparing, one, suite) for one, suite in zip(asked, made, strict=True)]
        alone = self.chance.stream("whole hosts")
        asked = [with_whole_hosts(alone, one) for one in asked]
        portions = self.chance.stream("portions")
        if any(device.shareable for host in self.hosts for device in host.devices):
            asked = [with_portions(portions, one) for one in asked]
        if placing.random() < 0.4:
            self._apart = True
            asked = [with_places(placing, one) for one in asked]
        classes = self.chance.stream("classes")
        if classes.random() < _CLASSES:
            asked = [with_classes(classes, one) for one in asked]
        speculating = self.chance.stream("speculating")
        return [with_speculation(speculating, submission) for submission in asked]

    def _drawn_faults(self) -> list[Fault]:
        drawn = make_faults(self.chance.stream("faults"))
        if self.other is not None:
            drawn += make_faults(self.chance.stream("faults beside"), BESIDE)
        if self._straggling:
            lost = self.chance.stream("faults apart")
            drawn += [Fault(at, kind, 0, 1.0) for kind in APART for at in _LOOKS_BESIDE if lost.random() < _LOST_BESIDE]
        return sorted(drawn, key=lambda fault: fault.at)

    def run(self) -> Result:
        """Carry it out; the world is empty afterwards."""
        loop = self.loop
        with patches.applied(self):
            loop.set_exception_handler(self._on_exception)
            try:
                loop.run_until_complete(self._story())
                self.auditor.finish()
            except Violation:
                pass
            except Stuck as stuck:
                self.violation = f"stuck: {stuck}"
            result = self._result()
            self.over = True
            loop.bury()
        return result

    def _result(self) -> Result:
        return Result(
            self.seed,
            self.violation,
            self._hash.hexdigest(),
            self.loop.steps,
            self.loop.now,
            self.faults,
            list(self.trace),
            dict(self.auditor.seen),
        )

    async def _story(self) -> None:
        self.scheduler.start()
        if self.other is not None:
            self.other.start()
        for coordinator in self.coordinators:
            coordinator.start()
        for host in self.hosts:
            host.start()
        for client in self.clients:
            self.watch_task(self.people.start(client.work()), "client")
        gpus = [(host.name, device.device_id) for host in self.hosts for device in host.devices]
        chance = self.chance.stream("hidden device")
        if gpus and chance.random() < _HIDING:
            self.watch_task(self.people.start(self.clients[0].hide(*chance.choice(gpus))), "hiding")
        if self.chance.stream("reserving").random() < _RESERVING:
            self.watch_task(self.people.start(self.clients[0].reserve()), "reservation")
        if self.chance.stream("limiting").random() < _LIMITING:
            self.watch_task(self.people.start(self.clients[0].limit()), "quota")
        for fault in self.faults:
            self.loop.outside(fault.at, self._inflict, fault)
        last = max((fault.at for fault in self.faults), default=0.0)
        while self.loop.now < _FAULTS_END:
            if self.loop.now > last and self._all_over():
                return
            await asyncio.sleep(_LOOK)
            self._check()
        self._heal()
        while not self._all_over():
            await asyncio.sleep(_FOLD)
            self._check()
            if self.loop.now > _FAULTS_END + _PATIENCE:
                self.violate(f"not over {_PATIENCE:g} s after everything was healed: {self._open()}")

    def _inflict(self, fault: Fault) -> None:
        if not self.healing:
            self.note("fault", fault.kind, fault.target, f"{fault.amount:.3f}")
            inflict(self, fault)

    def _check(self) -> None:
        check_bounds(self)
        self.terms.check()

    def _heal(self) -> None:
        self.note("heal")
        self.healing = True
        self.client_loss = 0.0
        self.doom, self.daze = "", ("", 0.0)
        self.terms.pause_next = 0.0
        self.scheduler.heal()
        if self.other is not None:
            self.other.heal()
        self.network.heal()
        self.etcd.regain_quorum()
        self.ask_operator()
        for coordinator in self.coordinators:
            coordinator.heal()
        for host in self.hosts:
            host.wire.cut, host.wire.slow, host.wire.duplicates = False, 0.0, 0
            if host.process is not None:
                host.process.resume()
            # Once more when nobody can be draining it any more.
            for seconds in (0.0, _SETTLED):
                self.later(seconds, self._put_back, host)

    def _put_back(self, host: Host) -> None:
        self.people.start(self.clients[0].drain(host.name, False))

    def _all_over(self) -> bool:
        runs = self.auditor.books.runs
        return all(client.has_asked for client in self.clients) and all(runs.values())

    def _open(self) -> str:
        """Where the groups that are not over stand."""
        leading = self.leading
        if leading is None:
            return "nobody leads"
        state = leading.writer.state
        found = []
        for group in state.groups.values():
            if not group.over:
                held = [f"{one} closing={state.allocations[one].closing}" for one in sorted(group.allocations)]
                live = {number: state.attempts[number].worker_id for number in sorted(group.attempts)}
                found.append(
                    f"{group.group_id}: {group.queue.count} queued, live {live}, holds {held}, {group.waiting_text}"
                )
        return "; ".join(found) or "a client has no answer"

    @property
    def leader(self) -> SimCoordinator | None:
        """The coordinator with the latest term of those that lead."""
        leaders = [one for one in self.coordinators if one.leading is not None]
        return max(leaders, key=lambda one: one.leading.number if one.leading else 0, default=None)

    @property
    def leading(self) -> Leading | None:
        """The latest term."""
        leader = self.leader
        return leader.leading if leader is not None else None

    def node(self) -> str:
        """What the machine of whoever asks is called.

        Where cases straggle, or targets keep to hosts, each has its name, else all are taken for one.
        """
        owner = current()
        return owner.machine.name if self._apart and owner is not None else "host"

    def share_a_host(self, one: str, other: str) -> bool:
        """Whether two workers say that they are on one host."""
        return one == other or not self._apart

    def machine(self, name: str) -> Machine:
        """A machine, whose clock is a little fast or slow and began at any time."""
        offset = self._clocks.random() * 1000
        return Machine(name, offset, 1.0 + _DRIFT * (2 * self._clocks.random() - 1))

    def server(self, address: str) -> Server | None:
        """Whom a dial reaches."""
        if address == "sim:scheduler":
            return self.scheduler.server
        if address == "sim:other":
            return self.other.server if self.other is not None else None
        return next(one.server for one in self.coordinators if one.address == address)

    def ask_operator(self) -> None:
        """An operator looks at a take-over that was refused: after a restore of etcd, its revisions are no longer held against it."""
        self.later(_OPERATOR, self._reset_election)

    def _reset_election(self) -> None:
        if self.etcd.restored:
            self.etcd.restored = False
            self.store._head = replace(self.store.head(), election_cluster="", election_revision=0)
            self.terms.forgive()

    def _disk_delay(self) -> float:
        delay = 0.0001 + 0.0005 * self._disk.random()
        owner = current()
        slow = self.disk_slow.get(owner.machine.name, 0.0) if owner is not None else 0.0
        if slow and self._disk.random() < 0.3:
            delay += min(slow, 0.02 * self._disk.paretovariate(0.7))
        return delay

    def host(self, name: str) -> Host:
        """A host by name."""
        return next(host for host in self.hosts if host.name == name)

    def suite_of(self, run_id: str) -> SimSuite:
        """The suite of a run."""
        request = next(request for request, run in self.auditor.books.requests.items() if run == run_id)
        return self.suites[f"suite{request.rpartition('-')[2]}"]

    def history(self, cases: Sequence[CollectedCase]) -> tuple[float, ...]:
        """What cases took before; empty where their suite has never run."""
        suite = next((one for one in self.suites.values() if cases and cases[0].case_id in one.history), None)
        return tuple(suite.history[case.case_id] for case in cases) if suite else ()

    def truth_of(self, run_id: str, attempt: int, case_id: str) -> str:
        """What a case showed in an attempt; empty when it was never executed there."""
        suite = self.suite_of(run_id)
        return "passed" if suite.runner == "noop" else self.truth.get((attempt, case_id), "")

    def later(self, seconds: float, function: Callable[..., Any], *arguments: Any) -> None:
        """Call in so many seconds, whoever is dead by then."""
        self.loop.outside(self.loop.now + seconds, function, *arguments)

    def note(self, *parts: object) -> None:
        """One line of the trace."""
        if self.over:
            return
        line = " ".join([f"{self.loop.now:10.6f}", *(str(part) for part in parts)])
        self._hash.update(line.encode())
        if self._keep:
            self.trace.append(line)

    def spy(self, name: str) -> Callable[[str, Any], None] | None:
        """Who writes down what passes by, where a trace is kept; it is no part of the digest."""
        if not self._keep:
            return None

        def write(place: str, message: Any) -> None:
            text = " ".join(str(message).split())[:260]
            self.trace.append(f"{self.loop.now:10.6f}     {name} {place}: {text}")

        return write

    def violate(self, text: str) -> None:
        """Something that must hold does not: the simulation ends here."""
        if not self.violation and not self.over:
            self.violation = text
            self.note("VIOLATION", text)
            self.loop.failure = Violation(text)
        raise Violation(text)

    def watch_task(self, task: asyncio.Task[Any], name: str) -> None:
        """A part that must not die of an error of its own."""

        def ended(done: asyncio.Task[Any]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is not None and not isinstance(error, Violation):
                self.violate(f"{name} died: {type(error).__name__}: {error}")

        task.add_done_callback(ended)

    def _on_commit(self, stage: str, batch: Batch) -> None:
        if self.over:
            return
        doomed = self.doom == stage
        if stage == "after":
            self.auditor.committed(batch)
            self.terms.check()
        if self.daze[0] == stage:
            self._stand_still(self.daze[1])
        if doomed:
            self.doom = ""
            self.note("died in commit", stage, batch.seq)
            raise Died

    def _stand_still(self, seconds: float) -> None:
        self.daze = ("", 0.0)
        owner = current()
        for coordinator in self.coordinators:
            if coordinator.process is owner:
                coordinator.pause(seconds)

    def _on_exception(self, loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.violation or isinstance(
            error, Violation | CrossfleetError | grpc.RpcError | asyncio.CancelledError | None
        ):
            return
        self.violation = f"{context.get('message')}: {type(error).__name__}: {error}"
        self.note("VIOLATION", self.violation)
        self.loop.failure = Violation(self.violation)
