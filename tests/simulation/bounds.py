"""What must hold between steps: bounded queues, and a reason for every group that waits."""

from __future__ import annotations

from typing import Any

from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.outcomes import RunState, WorkerState
from crossfleet.coordinator.core.placeable import first_placeable

_MOST_QUEUED = 20_000
_PATIENCE = 4.0
_STRANDED, _NEGLECTED = 1.5, 6.0
_LEAVING = 4.0
_DISK = 0.25
_SLACK = 600


def check_bounds(world: Any) -> None:
    """Look at every queue and window, and at every group that waits."""
    for host in world.hosts:
        if host.agent is not None and host.agent.link.window._cases > world.window + _SLACK:
            world.violate(f"the window of {host.name} holds {host.agent.link.window._cases} results")
    leader = world.leader
    if leader is None or leader.process.paused:
        return
    leading = leader.leading
    for session in leading.fleet._sessions.values():
        if len(session.outbox._waiting) > _MOST_QUEUED:
            world.violate(f"{len(session.outbox._waiting)} messages wait for {session.worker_id}")
    _check_reasons(world, leader)
    _check_leaving(world, leading)
    if world.other is not None:
        _check_stranded(world, leader)


def _check_reasons(world: Any, leader: Any) -> None:
    """A group without slots says why it waits, once the scheduler had time to tell, and that could be written."""
    now, leading = world.loop.now, leader.leading
    since: dict[str, float] = world.unexplained
    calm = leading.schedulers.figures.connected and now > world.scheduler.slow_until
    calm = calm and not (world.other is not None and world.other.withheld) and not leader.sql.away
    silent = set()
    state = leading.writer.state
    for group in state.groups.values():
        run = state.runs[group.run_id]
        waits = not group.over and run.state < RunState.STOPPING and not group.allocations
        if calm and waits and view.wanted_slots(state, group) and not group.waiting_text:
            silent.add(group.group_id)
    for group_id in list(since):
        if group_id not in silent:
            del since[group_id]
    for group_id in silent:
        if now - since.setdefault(group_id, now) > _PATIENCE:
            world.violate(f"{group_id} has waited for {_PATIENCE:g} s without a reason")


def _check_leaving(world: Any, leading: Any) -> None:
    """What a worker that is heard was told to give back is free before long."""
    now, since, state = world.loop.now, world.leaving, leading.writer.state
    kept = {
        (leading.number, state.workers[one.worker_id].session_id, one.allocation_id, number)
        for one in state.allocations.values()
        for number in one.leaving
        if state.workers[one.worker_id].state in {WorkerState.READY, WorkerState.DRAINING}
    }
    for gone in since.keys() - kept:
        del since[gone]
    for key in sorted(kept):
        if now - since.setdefault(key, now) > _LEAVING:
            world.violate(f"slot {key[3]} of {key[2]} was to be given back {_LEAVING:g} s ago")


def _check_stranded(world: Any, leader: Any) -> None:
    """Nobody waits for a scheduler that is not well while the fallback is, a worker has room, and decisions can be written.

    Counted by the leader's own clock, which may run slow: it is all that a deadline can be kept by. One that only says
    nothing is believed for longer: others are placed meanwhile, so it costs a group, and then all. Who is held back for a
    moment between two looks of ours is believed in anew; and so is whoever decides for a group since it changed hands. For
    whom the fallback decides, with a reason, nobody waits but for that.
    """
    leading, since = leader.leading, world.stranded
    clock, state = leader.process.machine.shown, leading.writer.state
    now = clock(world.loop.now)
    waits = set()
    fit = leading.schedulers.figures.connected and world.scheduler.well and not leader.sql.away
    owed = min(leader.process.disk_asked.values(), default=world.loop.now)
    if fit and world.loop.now - owed <= _DISK and not world.other.well:
        reasoned = (one for one in state.groups.values() if not (one.under_fallback and one.waiting_text))
        waits = {
            (one.group_id, one.under_fallback)
            for one in reasoned
            if not one.allocations and first_placeable(state, [one])
        }
    # Under each leader anew: while nobody leads, nothing is placed.
    keys = {(leading.number, *one) for one in waits}
    for gone in since.keys() - keys:
        del since[gone]
    for key in sorted(keys):
        began = since.setdefault(key, now)
        waited = now - began
        # The time in which it only said nothing counts for the longer limit alone.
        silent = max(clock(min(world.other.absent_until, world.loop.now)) - began, 0.0)
        if waited > _NEGLECTED or waited - silent > _STRANDED:
            world.violate(f"{key[1]} has waited for {waited:.1f} s, and could be placed")
