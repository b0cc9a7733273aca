"""What happens to hosts, agents, schedulers and people."""

from __future__ import annotations

from typing import Any

from tests.simulation.fault import Fault, Kind


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


def _loss_beside_a_copy(world: Any, fault: Fault) -> None:
    """The host is lost that executes for too long what another one executes a second time by now."""
    if world.leading is None:
        return
    state = world.leading.writer.state
    for group in state.groups.values():
        attempts = [state.attempts[number] for number in sorted(group.attempts)]
        first = next((one for one in attempts if not one.copy and group.copies.keys() & one.pending), None)
        if first is not None:
            world.host(first.worker_id).lose(fault.amount)
            return


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
    world.scheduler.mad_until = world.loop.now + fault.amount


def _scheduler_slow(world: Any, fault: Fault) -> None:
    world.scheduler.slow_until = world.loop.now + fault.amount


def _other_crash(world: Any, fault: Fault) -> None:
    world.other.crash(fault.amount)


def _other_freeze(world: Any, fault: Fault) -> None:
    world.other.freeze(fault.amount)


def _other_goes(how: str) -> Kind:
    def go(world: Any, fault: Fault) -> None:
        setattr(world.other, f"{how}_until", world.loop.now + fault.amount)

    return go


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


def _host(world: Any, fault: Fault) -> Any:
    return world.hosts[fault.target % len(world.hosts)]


FLEET: dict[str, Kind] = {
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
}

BESIDE: dict[str, Kind] = {
    "other-crash": _other_crash,
    "other-freeze": _other_freeze,
    "other-mad": _other_goes("mad"),
    "other-slow": _other_goes("slow"),
    "other-mute": _other_goes("mute"),
    "other-confused": _other_goes("confused"),
}
"""What happens to the scheduler beside the fallback, in seeds that have one."""

APART: dict[str, Kind] = {"loss-beside-a-copy": _loss_beside_a_copy}
"""What happens where cases straggle."""
