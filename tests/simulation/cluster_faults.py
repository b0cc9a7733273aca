"""What happens to coordinators, to etcd and SQL, to clocks, and to the network between them all."""

from __future__ import annotations

from typing import Any

from tests.simulation.coordinator import LEADER_LEASE, SimCoordinator
from tests.simulation.fault import Fault, Kind

_WAYS = (("to", "from"), ("to",), ("from",))
_DRIFTED = 0.08  # of a clock that is wrong and still within the bounds that the lease's margin covers


def _crash(world: Any, fault: Fault) -> None:
    _coordinator(world, fault).crash(fault.amount)


def _commit_crash(world: Any, fault: Fault) -> None:
    world.doom = ("before", "inside", "after")[fault.target % 3]


def _pause(world: Any, fault: Fault) -> None:
    _coordinator(world, fault).pause(fault.amount)


def _pause_elected(world: Any, fault: Fault) -> None:
    """Whoever is elected next stands still before it takes over; there is an election soon."""
    world.terms.pause_next = fault.amount + 1.0
    _coordinator(world, fault).crash(fault.amount)


def _pause_commit(world: Any, fault: Fault) -> None:
    """The leader stands still around its next commit."""
    world.daze = (("before", "after")[fault.target % 2], fault.amount)


def _resign(world: Any, fault: Fault) -> None:
    _coordinator(world, fault).drain()


def _rival(world: Any, fault: Fault) -> None:
    """Somebody takes the leader's lease away, while it believes in it."""
    world.terms.suspend(world.loop.now + 2 * LEADER_LEASE)
    world.etcd.evict()


def _etcd_cut(world: Any, fault: Fault) -> None:
    _cut(world, fault, "etcd")


def _sql_cut(world: Any, fault: Fault) -> None:
    _cut(world, fault, "sql")


def _people_cut(world: Any, fault: Fault) -> None:
    _cut(world, fault, "people")


def _scheduler_cut(world: Any, fault: Fault) -> None:
    _cut(world, fault, "scheduler")


def _worker_cut(world: Any, fault: Fault) -> None:
    _cut(world, fault, world.hosts[fault.target % len(world.hosts)].name)


def _peerless(world: Any, fault: Fault) -> None:
    """A coordinator is alone with its workers: it reaches neither etcd nor SQL."""
    _cut(world, fault, "etcd")
    _cut(world, fault, "sql")


def _etcd_quorum(world: Any, fault: Fault) -> None:
    world.etcd.lose_quorum(fault.amount)


def _etcd_restore(world: Any, fault: Fault) -> None:
    world.etcd.take_snapshot()
    world.later(0.1 + fault.amount / 2, _restore, world)


def _restore(world: Any) -> None:
    if not world.healing:
        world.terms.suspend(world.loop.now + 2 * LEADER_LEASE)
        world.etcd.restore()
        world.ask_operator()


def _etcd_slow(world: Any, fault: Fault) -> None:
    wire = _coordinator(world, fault).wire
    wire.slow = max(fault.amount, 0.3)
    world.later(4.0, setattr, wire, "slow", 0.0)


def _sql_slow(world: Any, fault: Fault) -> None:
    name = _coordinator(world, fault).name
    world.disk_slow[name] = max(fault.amount, 0.1)
    world.later(3.0, world.disk_slow.pop, name, None)


def _sql_breaks(world: Any, fault: Fault) -> None:
    sql = _coordinator(world, fault).sql
    if sql is not None:
        sql.fails += 1 + fault.target % 2


def _sql_lost(world: Any, fault: Fault) -> None:
    sql = _coordinator(world, fault).sql
    if sql is not None:
        sql.lost += 1


def _sql_full(world: Any, fault: Fault) -> None:
    sql = _coordinator(world, fault).sql
    if sql is not None:
        sql.full = True
        world.later(min(fault.amount, 2.0), setattr, sql, "full", False)


def _clock_jump(world: Any, fault: Fault) -> None:
    """A time of day; monotonic clocks never jump."""
    _coordinator(world, fault).clock.skew += (fault.amount - 1.0) * 10


def _clock_drift(world: Any, fault: Fault) -> None:
    """A clock that is as wrong as the margin of the lease allows."""
    machines = [one.machine for one in world.coordinators] + [world.etcd.machine]
    machine = machines[fault.target % len(machines)]
    fast = 1 if fault.amount > 0.5 else -1
    machine.run_at(1.0 + _DRIFTED * fast, world.loop.now)


def _clock_wild(world: Any, fault: Fault) -> None:
    """A clock that is as wrong as clocks never are: only the head row's fence holds then."""
    world.terms.suspend(float("inf"))
    _coordinator(world, fault).machine.run_at((0.2, 0.5, 3.0)[fault.target % 3], world.loop.now)


def _coordinator(world: Any, fault: Fault) -> SimCoordinator:
    """The leader, or, one time in four, any."""
    some: SimCoordinator = world.coordinators[fault.target % len(world.coordinators)]
    leader: SimCoordinator | None = world.leader
    return some if leader is None or fault.target % 4 == 3 else leader


def _cut(world: Any, fault: Fault, other: str) -> None:
    name = _coordinator(world, fault).name
    for way in _WAYS[fault.target % len(_WAYS)]:
        world.network.cut(*((name, other) if way == "to" else (other, name)), fault.amount)


CLUSTER: dict[str, Kind] = {
    "coordinator-crash": _crash,
    "coordinator-drain": _resign,
    "coordinator-pause": _pause,
    "elected-pause": _pause_elected,
    "commit-crash": _commit_crash,
    "commit-pause": _pause_commit,
    "rival": _rival,
    "etcd-cut": _etcd_cut,
    "sql-cut": _sql_cut,
    "worker-cut": _worker_cut,
    "people-cut": _people_cut,
    "scheduler-cut": _scheduler_cut,
    "peerless": _peerless,
    "etcd-quorum": _etcd_quorum,
    "etcd-restore": _etcd_restore,
    "etcd-slow": _etcd_slow,
    "sql-slow": _sql_slow,
    "sql-breaks": _sql_breaks,
    "sql-lost": _sql_lost,
    "sql-full": _sql_full,
    "clock-jump": _clock_jump,
    "clock-drift": _clock_drift,
    "clock-wild": _clock_wild,
}
