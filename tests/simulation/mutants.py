"""Bugs that are planted, one function each, to see that the simulation finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from crossfleet.coordinator.convert import orders
from crossfleet.coordinator.core import (
    care,
    commands,
    evolve,
    evolve_inputs,
    evolve_work,
    machine,
    planning,
    reporting,
    settling,
    spare,
    submitting,
)
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.last_cases import SlotsGivenBack
from crossfleet.coordinator.core.model import Allocation, State, Worker
from crossfleet.coordinator.core.outcomes import Cause, Outcome, WorkerState
from crossfleet.coordinator.core.outlook import Outlook
from crossfleet.coordinator.core.rerun_facts import RerunsSought
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.scheduling.changes import Changes
from crossfleet.coordinator.scheduling.guard import Guard
from crossfleet.coordinator.scheduling.schedulers import Schedulers
from crossfleet.coordinator.sessions import fleet, routing
from crossfleet.coordinator.sessions.session import Session
from crossfleet.matching import template
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.snapshot import Snapshot
from crossfleet.worker.core.holdings import Holdings
from crossfleet.worker.orders import Orders
from tests.simulation.cluster_mutants import CLUSTER_MUTANTS
from tests.simulation.mutant import Mutant


def _acknowledge_before_commit() -> Iterator[Any]:
    settle = Session._settle

    async def hasty(self: Session, said: Any) -> bool:
        self.outbox.acknowledge(getattr(said, "sequence", 0))
        return await settle(self, said)

    yield patch.object(Session, "_settle", hasty)


def _forget_the_head_check() -> Iterator[Any]:
    def unfenced(self: MemoryStore, batch: Any) -> None:
        self.on_commit("before", batch)
        self.on_commit("inside", batch)
        self._write(batch)
        self.on_commit("after", batch)

    yield patch.object(MemoryStore, "commit", unfenced)


def _accept_old_tokens() -> Iterator[Any]:
    live = reporting._live

    def loose(emit: Any, worker_id: str, attempt_id: int) -> Any:
        found = live(emit, worker_id, attempt_id)
        if found is None and attempt_id in emit.state.revoked:
            # Whoever executes now is credited with what an earlier attempt showed.
            found = next(iter(emit.state.attempts.values()), None)
        return found

    yield patch.object(reporting, "_live", loose)


def _double_count_on_resend() -> Iterator[Any]:
    record = reporting._record

    def twice(emit: Any, attempt: Any, results: Any) -> None:
        attempt.pending.update(result.case_index for result in results if result.case_index in attempt.cases)
        record(emit, attempt, results)

    yield patch.object(reporting, "_record", twice)


def _drop_no_more_tasks() -> Iterator[Any]:
    yield patch.object(Orders, "no_more", lambda self, message: None)


def _forget_who_shares_a_host() -> Iterator[Any]:
    # Of the scheduler too: the coordinator refuses what it proposes, so that one of both alone is not seen.
    yield patch.object(State, "neighbours", lambda self, worker: [])
    yield patch.object(Snapshot, "neighbours", lambda self, worker_id: [])
    yield patch.object(Fleet, "neighbours", lambda self, name: [])


def _take_what_was_lost_for_nothing() -> Iterator[Any]:
    yield patch.object(evolve_inputs, "allocation_closed", lambda *_: None)


def _count_the_portion_of_one_slot_alone() -> Iterator[Any]:
    def first(self: Allocation) -> Any:
        return next(iter(self.portions.values()), ())

    yield patch.object(Allocation, "held_portions", property(first))


def _lose_wants_on_reconnect() -> Iterator[Any]:
    everything = Holdings.all

    def unasked(self: Holdings) -> Any:
        found = list(everything(self))
        for holding in found:
            holding.wanting.clear()
        return tuple(found)

    yield patch.object(Holdings, "all", unasked)


def _no_plan_validation() -> Iterator[Any]:
    def unchecked(request: Any, worker: Any, free: Any, slots: int, device_ids: Any, selectors: Any) -> Any:
        return tuple((device,) for device in device_ids[:slots]) or ((),) * slots

    yield patch.object(planning, "check", unchecked)
    yield patch.object(planning._Books, "taken", lambda self, worker: set())


def _forget_what_a_lost_worker_left() -> Iterator[Any]:
    def forgetful(state: Any, event: e.AttemptEnded) -> None:
        lost = event.cause is Cause.HOST_LOST
        evolve_work.attempt_ended(state, replace(event, left=()) if lost else event)

    yield patch.dict(evolve._HANDLERS, {e.AttemptEnded: forgetful})


def _submit_twice() -> Iterator[Any]:
    def again(emit: Any, command: commands.SubmitRun) -> Any:
        emit.state.requests.pop(command.request_id, None)
        return submitting.submit_run(emit, command)

    yield patch.dict(machine._HANDLERS, {commands.SubmitRun: again})


def _never_miss_an_assignment() -> Iterator[Any]:
    async def silent(self: Session) -> None:
        return None

    yield patch.object(Session, "_missing", silent)


def _lose_a_case_that_is_run_again() -> Iterator[Any]:
    rerun = evolve._HANDLERS[e.CasesRerun]

    def losing(state: Any, event: e.CasesRerun) -> None:
        rerun(state, event)
        group = state.groups[event.group_id]
        group.queue.take([case.case_index for case in event.cases if case.case_index not in group.resting])

    yield patch.dict(evolve._HANDLERS, {e.CasesRerun: losing})


def _forget_the_failure_before() -> Iterator[Any]:
    yield patch.object(reporting, "shown", lambda earlier, result: (result.outcome, result.message))


def _keep_reruns_from_the_scheduler() -> Iterator[Any]:
    note = Changes.note

    def deaf(self: Changes, state: Any, events: Any) -> None:
        told = (event for event in events if not isinstance(event, e.CasesRerun | e.CasesDue | RerunsSought))
        note(self, state, [*told])

    yield patch.object(Changes, "note", deaf)


def _place_on_hosts_that_are_out() -> Iterator[Any]:
    standing = property(lambda self: WorkerState.DRAINING if self.drained else WorkerState.READY)
    yield patch.object(Worker, "standing", standing)


def _take_everybody_out() -> Iterator[Any]:
    yield patch.object(care, "room", lambda members, out, serving, share: members)


def _let_a_canary_go_on() -> Iterator[Any]:
    def unmarked(state: Any, event: e.CanaryOpened) -> None:
        return None

    yield patch.dict(evolve._HANDLERS, {e.CanaryOpened: unmarked})


def _close_under_running_tests() -> Iterator[Any]:
    route = routing.route

    def hasty(state: Any, events: Any, *more: Any) -> Any:
        found = route(state, events, *more)
        for event in events:
            allocation = state.allocations.get(event.allocation_id) if isinstance(event, e.AllocationClosing) else None
            if allocation is not None and allocation.live:
                found.setdefault(allocation.worker_id, []).append(orders.close(event.allocation_id))
        return found

    yield patch.object(fleet, "route", hasty)


def _leave_the_longest_to_others() -> Iterator[Any]:
    yield patch.object(Outlook, "ends_sooner_elsewhere", lambda *_: True)


def _wait_for_a_frozen_scheduler() -> Iterator[Any]:
    def patient(self: Guard) -> None:
        self._settle(None, anew=False)
        self.breaker.excused(self._clock.monotonic())

    yield patch.object(Guard, "_question", patient)


def _keep_its_groups_from_the_fallback() -> Iterator[Any]:
    yield patch.object(Schedulers, "_review", lambda self, member, group_ids: None)


def _give_back_busy_slots() -> Iterator[Any]:
    yield patch.object(spare, "_idle", lambda state, allocation: list(allocation.slots)[1:])


def _free_slots_before_they_are_gone() -> Iterator[Any]:
    slots_given_back = evolve._HANDLERS[SlotsGivenBack]

    def hasty(state: Any, event: SlotsGivenBack) -> None:
        slots_given_back(state, replace(event, gone=True))

    yield patch.dict(evolve._HANDLERS, {SlotsGivenBack: hasty})


def _never_say_that_a_slot_is_gone() -> Iterator[Any]:
    yield patch.object(Orders, "_say_closed", lambda self, holding, slots: None)


def _let_a_copy_decide() -> Iterator[Any]:
    yield patch.object(reporting, "COUNTS", frozenset(Outcome))


def _let_both_executions_count() -> Iterator[Any]:
    yield patch.object(reporting, "end_first", lambda emit, group, copy: None)


def _execute_again_what_a_copy_executes() -> Iterator[Any]:
    yield patch.object(settling, "keep_copies", lambda emit, group, cases: None)


def _let_copies_go_on() -> Iterator[Any]:
    yield patch.object(reporting, "end_copies", lambda emit, group, cases, why: None)


def _forget_the_others_hosts() -> Iterator[Any]:
    yield patch.object(template, "_places", lambda *_: [])


MUTANTS: dict[str, Mutant] = {
    "acknowledge-before-commit": Mutant(_acknowledge_before_commit, 0),
    "forget-the-head-check": Mutant(_forget_the_head_check, 9),
    "accept-old-tokens": Mutant(_accept_old_tokens, 14),
    "double-count-on-resend": Mutant(_double_count_on_resend, 31),
    "drop-no-more-tasks": Mutant(_drop_no_more_tasks, 4),
    "count-the-portion-of-one-slot-alone": Mutant(_count_the_portion_of_one_slot_alone, 68),
    "lose-wants-on-reconnect": Mutant(_lose_wants_on_reconnect, 1),
    "no-plan-validation": Mutant(_no_plan_validation, 1),
    "forget-what-a-lost-worker-left": Mutant(_forget_what_a_lost_worker_left, 8),
    "submit-twice": Mutant(_submit_twice, 4),
    "never-miss-an-assignment": Mutant(_never_miss_an_assignment, 52),
    "lose-a-case-that-is-run-again": Mutant(_lose_a_case_that_is_run_again, 11),
    "forget-the-failure-before": Mutant(_forget_the_failure_before, 1),
    "keep-reruns-from-the-scheduler": Mutant(_keep_reruns_from_the_scheduler, 733),
    "place-on-hosts-that-are-out": Mutant(_place_on_hosts_that_are_out, 1),
    "take-everybody-out": Mutant(_take_everybody_out, 414),
    "let-a-canary-go-on": Mutant(_let_a_canary_go_on, 9),
    "close-under-running-tests": Mutant(_close_under_running_tests, 9),
    "leave-the-longest-to-others": Mutant(_leave_the_longest_to_others, 7),
    "wait-for-a-frozen-scheduler": Mutant(_wait_for_a_frozen_scheduler, 6),
    "forget-who-shares-a-host": Mutant(_forget_who_shares_a_host, 1),
    "keep-its-groups-from-the-fallback": Mutant(_keep_its_groups_from_the_fallback, 6),
    "give-back-busy-slots": Mutant(_give_back_busy_slots, 53),
    "free-slots-before-they-are-gone": Mutant(_free_slots_before_they_are_gone, 4),
    "never-say-that-a-slot-is-gone": Mutant(_never_say_that_a_slot_is_gone, 59),
    "let-a-copy-decide": Mutant(_let_a_copy_decide, 291),
    "let-both-executions-count": Mutant(_let_both_executions_count, 65),
    "execute-again-what-a-copy-executes": Mutant(_execute_again_what_a_copy_executes, 113),
    "take-what-was-lost-for-nothing": Mutant(_take_what_was_lost_for_nothing, 9),
    "let-copies-go-on": Mutant(_let_copies_go_on, 60),
    "forget-the-others-hosts": Mutant(_forget_the_others_hosts, 11),
    **CLUSTER_MUTANTS,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """For as long as the block runs; an empty name plants nothing."""
    with ExitStack() as stack:
        for change in MUTANTS[name].plant() if name else ():
            stack.enter_context(change)
        yield
