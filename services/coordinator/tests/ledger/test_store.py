"""The same tests for every store."""

import itertools
from dataclasses import replace

import pytest

from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import machine
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.outcomes import Outcome, RunVerdict, WorkerState
from crossfleet.coordinator.core.priority_class import PriorityClass, RemovePriorityClass, SetPriorityClass
from crossfleet.coordinator.core.quota import Quota, RemoveQuota, SetQuota
from crossfleet.coordinator.core.reservation import MakeReservation, Reservation
from crossfleet.coordinator.core.schedule import (
    CreateSchedule,
    DeleteSchedule,
    Missed,
    Overlap,
    PauseSchedule,
    Schedule,
)
from crossfleet.coordinator.core.semaphore import RemoveSemaphore, Semaphore, SetSemaphore
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.store import (
    Batch,
    Deposed,
    Mode,
    StoreAway,
    StoreFailed,
    StoreRefused,
    TakeOverRefused,
    Write,
)
from crossfleet.matching.model import Request
from crossfleet.matching.template import Alternative, Template
from services.coordinator.tests.ledger.scenario import VIEW, compare, finish, hello, plan, start, submit, work_off

_revisions = itertools.count(1)


def opened(database, **election):
    """The winner of the next election has taken over."""
    ledger = Ledger(database())
    ledger.open("leader", **(election or {"cluster": "etcd", "revision": next(_revisions)}))
    return ledger


def facts(state):
    """The state as far as it is durable."""
    groups = {
        one.group_id: (bytes(one.outcomes), one.counts, one.queue.pending(), one.attempts, one.digest, one.state)
        for one in state.groups.values()
    }
    asked = {one.group_id: (one.target, one.whereabouts) for one in state.groups.values()}
    limits = (state.semaphores, state.sharing, state.quotas, state.tallies)
    named = (limits, state.schedules, state.schedule_specs, state.reservations)
    counters = (state.next_attempt, state.next_task, state.next_allocation)
    return (
        state.runs,
        groups,
        state.allocations,
        state.attempts,
        state.requests,
        state.past_runs,
        counters,
        named,
        asked,
    )


def test_a_later_leader_finds_the_state_as_it_was_committed(database):
    ledger = opened(database)
    start(ledger)
    first = next(iter(ledger.state.attempts.values()))
    ledger.commit([finish(first, Outcome.FAILED)], 2.0)
    before = facts(ledger.state)
    successor = opened(database)

    assert facts(successor.state) == before
    assert (successor.epoch, successor.seq) == (ledger.epoch + 1, ledger.seq)
    worker = successor.state.workers["w1"]
    assert (worker.state, worker.session_id, worker.description) == (WorkerState.SUSPECT, "", b"description")


def test_a_later_leader_finds_semaphores_and_who_holds_them_and_schedules(database):
    ledger = opened(database)
    night = Schedule("s1", "night", "p", "0 3 * * *", "UTC", Missed.ALL, Overlap.QUEUE, 1.0, 2.0, waiting=(1.5,))
    ledger.commit([SetSemaphore("seat", 4), SetSemaphore("gone", 1), CreateSchedule(night, b"spec")], 1.0)
    seats = c.TargetSpec("default", "", Request(semaphores=(("seat", 2),)))
    later = c.TargetSpec("later", "", Request(), (c.Need("default"),))
    start(ledger, targets=(seats, later))
    ledger.commit([SetSemaphore("seat", 3), RemoveSemaphore("gone"), PauseSchedule("night", True, 9.0)], 2.0)
    before = facts(ledger.state)
    successor = opened(database)

    assert facts(successor.state) == before
    assert successor.state.semaphores == {"seat": Semaphore(capacity=3, held=4)}
    assert successor.state.groups["run/later"].held_back == "needs"
    assert successor.state.schedules["night"].paused
    successor.commit([DeleteSchedule("night")], 3.0)
    assert opened(database).state.schedules == {}


def test_a_later_leader_knows_what_has_passed_with_what_and_what_a_live_run_has_left(database):
    ledger = opened(database)
    for number in range(3):
        compare(ledger, f"run{number}", digest=str(number))
    failing = ledger.state.proofs.find(("p", "s", "later"), next(iter(ledger.state.proofs.by_place["p", "s", "later"])))
    compare(ledger, "unchanged", digest="2")
    later = c.TargetSpec("later", "", Request(), (c.Need("default", changed=True),))
    again = c.PolicySpec(unchanged_too=True)
    start(ledger, targets=(c.TargetSpec("default", "", Request()), later), policy=again)
    ledger.commit([AttachArtifacts("run", (ArtifactRef("default", "w1/0/a.whl", "0", 1),))], 1.5)
    successor = opened(database)
    assert successor.state.proofs == ledger.state.proofs
    assert successor.state.groups["run/default"].product == ledger.state.groups["run/default"].product

    successor.commit([hello(held=held(successor))], 2.5)
    work_off(successor)
    successor.commit([plan(target="later")], 2.0)
    while successor.state.attempts:
        successor.commit([finish(one, Outcome.FAILED) for one in successor.state.attempts.values()], 3.0)
    assert successor.state.groups["run/later"].inputs == failing.inputs
    proofs = opened(database).state.proofs
    assert [one.by_run for one in proofs.by_place["p", "s", "later"].values()] == ["run1", "run2"]
    assert proofs == successor.state.proofs


def held(ledger):
    """What the worker of the scenario says that it has."""
    return [
        c.HeldAllocation(one.allocation_id, tuple(a.attempt_id for a in ledger.state.attempts.values()), (), (0, 1))
        for one in ledger.state.allocations.values()
    ]


def test_a_later_leader_offers_the_same_alternatives_and_goes_on_with_their_time(database):
    ledger = opened(database)
    template = Template(
        alternatives=(Alternative("worker.slots > 9", 60.0), Alternative("worker.slots > 1", 60.0), Alternative("")),
        apart=("other",),
    )
    chosen = c.TargetSpec("chosen", "", Request(), template=template)
    ledger.commit([submit(targets=(chosen, c.TargetSpec("other", "", Request()))), hello()], 1.0)
    ledger.commit([c.PassTime()], 61.0)
    successor = opened(database)
    assert facts(successor.state) == facts(ledger.state)

    successor.commit([hello("s2"), c.ApplyPlan("plan", (c.ProposedAllocation("run/chosen", "w1", 1),))], 62.0)
    assert successor.state.groups["run/chosen"].whereabouts.open_now == (1,)
    assert facts(opened(database).state) == facts(successor.state)


def test_a_later_leader_finds_quotas_and_what_is_held_of_them(database):
    ledger = opened(database)
    quota = Quota("p", slots=2, devices=(("gpu", 4),))
    ledger.commit([SetQuota(quota), SetQuota(Quota("gone", runs=1))], 1.0)
    gpu = c.TargetSpec("gpu", 'device.class == "gpu"', Request())
    start(ledger, targets=(c.TargetSpec("default", "", Request()), gpu))
    ledger.commit([RemoveQuota("gone")], 2.0)
    before = facts(ledger.state)
    successor = opened(database)

    assert facts(successor.state) == before
    assert successor.state.quotas == {"p": quota}
    assert successor.state.groups["run/gpu"].target.devices == (("gpu", 1),)
    assert successor.state.groups["run/gpu"].held_back == "quota"
    assert successor.state.tallies["p"].slots == 2


def test_a_later_leader_finds_priority_classes_and_the_grace_of_what_was_preempted(database):
    ledger = opened(database)
    batch = PriorityClass("batch", -10, preemptible=True, grace=30.0, projects=("ml", "web"))
    ledger.commit([SetPriorityClass(batch), SetPriorityClass(PriorityClass("gone", 1))], 1.0)
    ledger.commit([RemovePriorityClass("gone"), SetPriorityClass(PriorityClass("urgent", 100, preempts=True))], 2.0)
    start(ledger, policy=c.PolicySpec(priority_class=batch, deadline_in=60.0))
    ledger.commit([c.ApplyPlan("revoking", (), tuple(ledger.state.allocations))], 10.0)
    successor = opened(database)

    assert successor.state.priority_classes == ledger.state.priority_classes
    assert set(successor.state.priority_classes) == {"batch", "urgent"}
    assert list(successor.state.preempted.values()) == [40.0]
    assert successor.state.runs["run"].policy.priority_class == batch
    assert successor.state.runs["run"].deadline == ledger.state.runs["run"].created_at + 60.0


def test_a_later_leader_keeps_workers_for_whom_they_are_reserved(database):
    ledger = opened(database)
    tonight = Reservation("r1", "ml", "", 0, 1.0, 100.0, "tonight", 1.0)
    ledger.commit([hello(), MakeReservation(tonight)], 2.0)
    assert ledger.state.reservations["r1"].worker_ids == ("w1",)
    successor = opened(database)
    assert facts(successor.state) == facts(ledger.state)
    successor.commit([c.PassTime()], 3.0)
    assert successor.state.reservations["r1"].worker_ids == ("w1",)
    successor.commit([c.PassTime()], 101.0)
    assert opened(database).state.reservations == {}


def test_a_later_leader_gives_no_host_away_on_which_a_worker_still_works_that_it_has_not_heard(database):
    ledger = opened(database)
    described = Worker(worker_id="w1", host="h1").SerializeToString()
    busy = replace(hello(), description=described, view=replace(VIEW, host="h1"))
    ledger.commit([submit(), busy, c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1),))], 1.0)
    later = opened(database)
    beside = replace(hello("s2"), worker_id="w2", view=replace(VIEW, name="w2", host="h1"))
    alone = submit("alone", targets=(c.TargetSpec("default", "", Request(exclusive=True)),))
    proposed = c.ApplyPlan("p", (c.ProposedAllocation("alone/default", "w2", 1),))
    answer = later.commit([alone, beside, proposed], 2.0).answers[-1]
    assert [one.text for one in answer.refused] == ["the host of w2 is in use, and the request wants it alone"]


def test_a_run_that_was_begun_by_one_leader_is_finished_by_the_next(database):
    start(opened(database))
    successor = opened(database)
    held = [c.HeldAllocation("a1", tuple(successor.state.attempts), ())]
    successor.commit([hello("s2", held=held)], 2.0)
    work_off(successor)

    assert "run" in successor.state.past_runs
    assert not successor.state.allocations
    assert opened(database).state.runs == {}


def test_a_deposed_leader_cannot_commit(database):
    old = opened(database)
    start(old)
    opened(database)

    with pytest.raises(Deposed):
        old.commit([submit("late")], 3.0)
    assert "request-late" not in opened(database).state.requests


def test_a_deposed_leader_cannot_write_anything_else_either(database):
    old = opened(database)
    opened(database)

    with pytest.raises(Deposed):
        old.store.prune(1, old.epoch, 10)


def test_a_candidate_that_slept_through_a_later_election_loses(database):
    opened(database, cluster="etcd", revision=7)
    late = Ledger(database())

    with pytest.raises(TakeOverRefused) as slept:
        late.open("late", cluster="etcd", revision=7)
    with pytest.raises(TakeOverRefused) as elsewhere:
        late.open("late", cluster="restored", revision=9)
    with pytest.raises(TakeOverRefused):
        late.open("alone")
    late.open("in time", cluster="etcd", revision=8)
    assert (slept.value.reset_needed, elsewhere.value.reset_needed) == (False, True)
    assert "crossfleet admin election reset" in str(elsewhere.value)
    assert late.epoch == 2


def test_a_ledger_that_was_led_without_an_election_goes_on_under_one(database):
    store = database()
    Ledger(store).open("alone")
    store.close()

    assert opened(database, cluster="etcd", revision=1).epoch == 2


def test_a_batch_that_does_not_follow_the_head_is_refused_whole(database):
    store = database()
    head = store.take_over("leader", "", 1)
    row = {"digest": "d", "cases": b""}
    batch = Batch(head.epoch, head.seq + 2, 1, 1, 1, [Write("collections", Mode.INSERT, [row])])

    with pytest.raises(Deposed):
        store.commit(batch)
    assert store.head().seq == head.seq


def test_a_batch_that_sql_refuses_leaves_nothing_behind(database):
    store = database()
    head = store.take_over("leader", "", 1)
    row = {"digest": "d", "cases": b""}
    twice = [Write("collections", Mode.INSERT, [row]), Write("collections", Mode.INSERT, [row])]
    if type(store).__name__ == "MemoryStore":
        twice = [Write("collections", Mode.INSERT, [row, row])]

    with pytest.raises(StoreFailed):
        store.commit(Batch(head.epoch, head.seq + 1, 1, 1, 1, twice))
    assert store.head() == head


def test_a_poison_command_is_refused_alone(database, monkeypatch):
    ledger = opened(database)
    start(ledger)

    def broken(emit, command):
        emit(e.RunStopping("run", "half done", cancelled=True))
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(machine._HANDLERS, c.StopRun, broken)
    outcome = ledger.commit([submit("one"), c.StopRun("run", "x"), submit("two")], 5.0)

    assert [type(answer) for answer in outcome.answers] == [machine_answer(), Rejection, machine_answer()]
    assert outcome.answers[1].reason == "INTERNAL"
    assert "a defect" in outcome.answers[1].message
    assert set(ledger.state.runs) == {"run", "one", "two"}
    assert not ledger.state.runs["run"].cancelled
    assert ledger.state.workers["w1"].state is WorkerState.READY, "sessions outlive a reload"
    assert facts(opened(database).state) == facts(ledger.state)


@pytest.mark.parametrize("away", [StoreAway("the server is away"), StoreRefused("a right is missing")])
def test_a_batch_of_which_a_part_was_committed_is_not_given_again_when_the_database_goes_away(monkeypatch, away):
    store = MemoryStore()
    ledger = opened(lambda: store)
    start(ledger)
    load, loads = store.load, iter([True, False])

    def broken(emit, command):
        raise ZeroDivisionError("a defect")

    def load_once():
        if next(loads):
            return load()
        raise away

    monkeypatch.setitem(machine._HANDLERS, c.StopRun, broken)
    monkeypatch.setattr(store, "load", load_once)
    with pytest.raises(StoreFailed) as failed:
        ledger.commit([submit("one"), c.StopRun("run", "x")], 5.0)
    assert not isinstance(failed.value, (StoreAway, StoreRefused)), "these ask for the same batch once more"


def machine_answer():
    from crossfleet.coordinator.core.answers import RunAnswer

    return RunAnswer


def test_an_idempotent_command_has_one_effect_over_leaders(database):
    opened(database).commit([submit("first", request_id="same")], 1.0)
    successor = opened(database)
    (again,) = successor.commit([submit("second", request_id="same")], 2.0).answers
    (other,) = successor.commit([submit("third", request_id="same", fingerprint="x")], 2.0).answers

    assert (again.run_id, again.changed) == ("first", False)
    assert other.reason == "IDEMPOTENCY_CONFLICT"


def test_commands_that_change_nothing_write_nothing(database):
    ledger = opened(database)
    seq = ledger.seq
    outcome = ledger.commit([c.StopRun("nothing", "x"), c.PassTime()], 1.0)

    assert outcome.committed == []
    assert outcome.answers[0].reason == "RUN_NOT_FOUND"
    assert ledger.store.head().seq == seq


def test_events_of_runs_that_are_over_can_be_dropped_and_others_stay(database):
    ledger = opened(database)
    start(ledger)
    work_off(ledger)
    ledger.commit([submit("live")], 9.0)
    first = ledger.store.prune(ledger.seq + 1, ledger.epoch, 1)
    whole = ledger.store.prune(ledger.seq + 1, ledger.epoch, 1000)

    assert 1 <= first <= 2  # what was committed at once goes at once
    assert whole > 1
    assert ledger.store.prune(ledger.seq + 1, ledger.epoch, 1000) == 0
    assert ledger.store.head().first_seq == ledger.seq + 1
    successor = opened(database)
    assert set(successor.state.runs) == {"live"}
    assert successor.state.past_runs == {"run"}


def test_the_verdict_of_a_finished_run_survives(database):
    ledger = opened(database)
    start(ledger)
    finished = []
    for _ in range(10):
        attempts = list(ledger.state.attempts.values())
        outcome = ledger.commit([finish(one) for one in attempts], 2.0)
        finished += [x for one in outcome.committed for x in one.events if isinstance(x, e.RunFinished)]
        if finished:
            break

    assert finished[0].verdict is RunVerdict.PASSED
    assert opened(database).state.runs["run"].verdict is RunVerdict.PASSED


def test_a_worker_that_comes_back_under_the_next_leader_keeps_its_attempts(database):
    start(opened(database))
    successor = opened(database)
    attempts = tuple(successor.state.attempts)
    held = [c.HeldAllocation("a1", attempts, ())]
    (answer,) = successor.commit([hello("s2", held=held)], 5.0).answers

    assert (answer.keep, answer.cancel, answer.undelivered) == (("a1",), (), ())
    assert successor.state.workers["w1"].state is WorkerState.READY
    work_off(successor)
    assert "run" in successor.state.past_runs


def test_the_next_leader_knows_who_has_left_and_nobody_who_was_forgotten(database):
    ledger = opened(database)
    ledger.commit([hello(), c.WorkerLeaving("w1", "s1", "idle"), c.WorkerLeft("w1", "s1")], 5.0)
    successor = opened(database)
    worker = successor.state.workers["w1"]
    assert (worker.state, worker.gone_at, worker.has_left) == (WorkerState.LOST, 5.0, True)

    successor.commit([c.ForgetWorkers(("w1",))], 6.0)
    assert "w1" not in opened(database).state.workers


def test_a_worker_that_joins_and_is_forgotten_in_one_commit_leaves_nothing(database):
    ledger = opened(database)
    ledger.commit([hello(), c.WorkerLost("w1", "gone"), c.ForgetWorkers(("w1",)), submit()], 5.0)
    assert not opened(database).state.workers
    ledger = opened(database)
    ledger.commit([hello("s2")], 6.0)
    assert opened(database).state.workers["w1"].joined_at == 6.0
