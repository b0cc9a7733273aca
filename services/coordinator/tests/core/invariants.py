"""What holds of every state, whatever was asked of the machine before."""

from collections import Counter

from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Outcome, RunState
from crossfleet.coordinator.core.quota import QUOTA, slots_left
from crossfleet.coordinator.core.view import begins, free_of, least_slots


def check(state: State) -> None:
    """Raises AssertionError, naming what broke."""
    for group in state.groups.values():
        counted = Counter(group.outcomes)
        assert {o: n for o, n in enumerate(group.counts) if n} == dict(counted), group.group_id
        queued = group.queue.pending()
        assert len(queued) == group.queue.count
        attempts = [state.attempts[attempt_id] for attempt_id in group.attempts]
        held = [index for attempt in attempts if not attempt.copy for index in attempt.pending]
        copies = {attempt.cases[0]: attempt.attempt_id for attempt in attempts if attempt.copy}
        assert group.copies == copies
        assert group.copied >= copies.keys()
        assert all(index in held or not state.attempts[copies[index]].pending for index in copies), "a copy of nothing"
        sought = group.sought
        assert sought.until.keys() <= set(queued), "a place is sought for a case that is not pending"
        assert sought.until.keys() == sought.whence.keys()
        assert sought.whences == Counter(sought.whence.values())
        assert group.failed_models.keys() <= group.earlier.keys()
        places = Counter([*queued, *held, *group.resting])
        assert not [index for index, times in places.items() if times > 1], "a case is in two places"
        open_cases = {index for index, outcome in enumerate(group.outcomes) if outcome == Outcome.PENDING}
        if not group.over:
            assert set(places) == open_cases, "a case without a verdict is nowhere, or one with a verdict is still held"
            policy = state.runs[group.run_id].policy
            for index, failures in group.earlier.items():
                assert index in open_cases, "failures are remembered of a case that has its verdict"
                assert len(failures) <= group.marks.get(index, policy.max_reruns), "a case is run again too often"
        else:
            assert not group.earlier
            assert not group.failed_models
            assert not open_cases
            assert not group.attempts
        if group.queue.count:
            assert abs(group.queue.seconds - sum(group.queue.estimates[i] for i in queued)) < 1e-6
    for allocation in state.allocations.values():
        assert sum(len(slot.attempts) for slot in allocation.slots.values()) == allocation.live
        assert all(len(slot.attempts) <= 2 for slot in allocation.slots.values())
        assert allocation.slots, "an allocation has given back its last slot, and is not closed"
        assert not allocation.slots.keys() & (allocation.leaving.keys() | allocation.gone)
        assert allocation.allocation_id in state.groups[allocation.group_id].allocations
        assert allocation.allocation_id in state.workers[allocation.worker_id].allocations
    for worker in state.workers.values():
        taken = [number for one in worker.allocations for number in state.allocations[one].held]
        assert len(taken) == len(set(taken)), "a slot is given away twice"
        if worker.view.devices:
            free = free_of(state, worker)
            assert free.slots >= 0
            assert free.cpu_millis >= 0
    check_hosts(state)
    check_held_back(state)
    check_tallies(state)
    check_shown(state)
    for run in state.runs.values():
        over = all(state.groups[group_id].over for group_id in run.groups)
        assert (run.state is RunState.FINISHED) == over


def check_hosts(state: State) -> None:
    """Whoever has a host alone shares it with nobody."""
    for allocation in state.allocations.values():
        if allocation.request.exclusive:
            host = state.workers[allocation.worker_id].view.host
            beside = [one.allocations for one in state.workers.values() if host and one.view.host == host]
            assert sum(map(len, beside)) <= 1, f"{allocation.allocation_id} shares host {host}"


def check_held_back(state: State) -> None:
    """Semaphores count what is held; who is held back holds nothing; nobody begins before what he needs is over."""
    held: Counter[str] = Counter()
    for allocation in state.allocations.values():
        for name, each in allocation.request.semaphores:
            held[name] += each * len(allocation.held)
    assert {name: one.held for name, one in state.semaphores.items() if one.held} == dict(held)
    for group in state.groups.values():
        assert (group.group_id in state.sharing) == (bool(group.target.request.semaphores) and not group.over)
        if group.held_back:
            assert not group.over
            assert not group.allocations
            assert group.waiting_text
        if group.ever_allocated:
            assert not group.skipped
            assert all(state.groups[f"{group.run_id}/{need.target}"].over for need in group.target.needs)


def check_tallies(state: State) -> None:
    """What counts toward quotas is what is held."""
    slots: Counter[str] = Counter()
    devices: dict[str, Counter[str]] = {}
    for allocation in state.allocations.values():
        project = state.runs[allocation.run_id].project
        slots[project] += len(allocation.held)
        for name, each in allocation.takes:
            devices.setdefault(project, Counter())[name] += each * len(allocation.held)
    assert {project: one.slots for project, one in state.tallies.items() if one.slots} == dict(slots)
    assert {project: one.devices for project, one in state.tallies.items() if one.devices} == devices
    open_groups = {group.group_id for group in state.groups.values() if not group.over}
    assert {group_id for one in state.tallies.values() for group_id in one.groups} == open_groups
    assert not any(one.empty for one in state.tallies.values())


def check_shown(state: State) -> None:
    """Of a project that holds nothing somebody is shown to schedulers, where its quota leaves enough to anybody who waits."""
    for project, tally in state.tallies.items():
        quota = state.quotas.get(project)
        if quota is None or not tally.settled or tally.allocations:
            continue
        groups = [group for group in map(state.groups.__getitem__, tally.groups) if begins(group)]
        left = {one.group_id: slots_left(quota, tally, one.target.devices, one.run_id) for one in groups}
        waits = any(one.held_back == QUOTA and left[one.group_id] >= least_slots(one.target.request) for one in groups)
        assert not waits or any(not one.held_back for one in groups), project
