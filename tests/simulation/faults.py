"""Faults as data: which, when, to whom, how much. A seed enables a random subset, so that rare combinations happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

_FIRST, _LAST = 0.3, 12.0


@dataclass(frozen=True, slots=True)
class Fault:
    """At `at` seconds, `kind` happens to number `target`; `amount` is in seconds where it lasts."""

    at: float
    kind: str
    target: int
    amount: float

    def __str__(self) -> str:
        return f"{self.at:.3f} s: {self.kind} {self.target} ({self.amount:.3f})"


def make_faults(random: Random) -> list[Fault]:
    """The faults of a seed, in the order of time."""
    enabled = [kind for kind in KINDS if random.random() < 0.35]
    found = []
    for kind in enabled:
        for _ in range(random.choice([1, 1, 2, 4])):
            at = random.uniform(_FIRST, _LAST)
            found.append(Fault(at, kind, random.randrange(12), random.choice([0.05, 0.5, 2.0, 6.0]) * random.random()))
    return sorted(found, key=lambda fault: fault.at)


def inflict(world: Any, fault: Fault) -> None:
    """Let it happen now."""
    KINDS[fault.kind](world, fault)


def _coordinator_crash(world: Any, fault: Fault) -> None:
    if world.leader is not None:
        world.leader.process.crash()
    world.later(fault.amount, world.lead)


def _commit_crash(world: Any, fault: Fault) -> None:
    world.doom = (("before", "inside", "after")[fault.target % 3], fault.amount)


def _coordinator_pause(world: Any, fault: Fault) -> None:
    leader = world.leader
    if leader is None:
        return
    leader.process.pause()
    world.later(fault.amount, leader.process.resume)
    if fault.amount > 1.0:  # longer than the election's time to live
        world.later(1.0, world.usurp)
        world.later(2.5, leader.server.sever)


def _rival(world: Any, fault: Fault) -> None:
    world.usurp()


def _agent_crash(world: Any, fault: Fault) -> None:
    _host(world, fault).crash_agent(fault.amount)


def _agent_pause(world: Any, fault: Fault) -> None:
    process = _host(world, fault).process
    if process is not None:
        process.pause()
        world.later(fault.amount * 2, process.resume)


def _shim_crash(world: Any, fault: Fault) -> None:
    _host(world, fault).crash_shim()


def _host_loss(world: Any, fault: Fault) -> None:
    _host(world, fault).lose(fault.amount)


def _cut(world: Any, fault: Fault) -> None:
    host = _host(world, fault)
    host.wire.cut = True
    host.break_connections()
    world.later(fault.amount, setattr, host.wire, "cut", False)


def _slow(world: Any, fault: Fault) -> None:
    wire = _host(world, fault).wire
    wire.slow = max(fault.amount, 0.1)
    world.later(3.0, setattr, wire, "slow", 0.0)


def _duplicate(world: Any, fault: Fault) -> None:
    _host(world, fault).wire.duplicates += 5


def _scheduler_crash(world: Any, fault: Fault) -> None:
    world.scheduler.crash(fault.amount)


def _scheduler_mad(world: Any, fault: Fault) -> None:
    world.scheduler.mad_until = world.loop.time() + fault.amount


def _scheduler_slow(world: Any, fault: Fault) -> None:
    world.scheduler.slow_until = world.loop.time() + fault.amount


def _submit_again(world: Any, fault: Fault) -> None:
    world.client_loss = 0.5
    world.later(fault.amount, setattr, world, "client_loss", 0.0)
    for client in world.clients:
        world.people.start(client.submit())


def _cancel(world: Any, fault: Fault) -> None:
    world.people.start(world.clients[fault.target % len(world.clients)].cancel())


def _drain(world: Any, fault: Fault) -> None:
    name = _host(world, fault).name
    world.people.start(world.clients[0].drain(name, True))
    world.later(fault.amount, lambda: world.people.start(world.clients[0].drain(name, False)))


def _clock_jump(world: Any, fault: Fault) -> None:
    if world.leader is not None:
        world.leader.clock.skew += (fault.amount - 1.0) * 10


def _host(world: Any, fault: Fault) -> Any:
    return world.hosts[fault.target % len(world.hosts)]


KINDS: dict[str, Callable[[Any, Fault], None]] = {
    "coordinator-crash": _coordinator_crash,
    "commit-crash": _commit_crash,
    "coordinator-pause": _coordinator_pause,
    "rival": _rival,
    "agent-crash": _agent_crash,
    "agent-pause": _agent_pause,
    "shim-crash": _shim_crash,
    "host-loss": _host_loss,
    "cut": _cut,
    "slow": _slow,
    "duplicate": _duplicate,
    "scheduler-crash": _scheduler_crash,
    "scheduler-mad": _scheduler_mad,
    "scheduler-slow": _scheduler_slow,
    "submit-again": _submit_again,
    "cancel": _cancel,
    "drain": _drain,
    "clock-jump": _clock_jump,
}
