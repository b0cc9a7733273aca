"""What the end of a run commits, as a later leader and whoever only reads find it: on each kind of database."""

import itertools
from dataclasses import replace

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.outcomes import Cause, RunVerdict
from crossfleet.coordinator.ledger import fleet_queries, run_queries
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.matching.model import WorkerView
from services.coordinator.tests.ledger.scenario import finish, submit

_revisions = itertools.count(1)


def hello(name, host, slots=2, **labels):
    view = WorkerView(name, labels, cpu_cores=2.0, slots_total=slots, runners=frozenset({"noop"}), host=host)
    return c.WorkerHello(name, "i1", f"s {name}", view, ("noop",), b"description", gives_back_slots=True)


def reported(attempt):
    return replace(finish(attempt), worker_id=attempt.worker_id)


def leader(database):
    """The winner of the next election has taken over."""
    ledger = Ledger(database())
    ledger.open("leader", "etcd", next(_revisions))
    return ledger


def test_slots_that_were_given_back_are_free_under_every_leader(database):
    ledger = leader(database)
    ledger.commit([submit(cases=("a", "b")), hello("w1", "h1")], 1.0)
    ledger.commit([c.ApplyPlan("plan", (c.ProposedAllocation("run/default", "w1", 2),))], 1.0)
    ledger.commit([reported(list(ledger.state.attempts.values())[1]), submit("other")], 2.0)
    ledger.commit([c.PassTime()], 9.0)
    assert list(ledger.state.allocations["a1"].leaving) == [1]

    second = leader(database)
    assert list(second.state.allocations["a1"].leaving) == [1]
    second.commit([c.SlotsClosed("w1", "a1", (1,))], 10.0)
    third = leader(database)
    assert third.state.allocations["a1"] == second.state.allocations["a1"]
    assert third.state.allocations["a1"].held == (0,)
    if not isinstance(third.store, MemoryStore):
        with third.store._engine.connect() as connection:
            assert [one.slots for one in fleet_queries.held(connection)] == [(0,)]


def test_slots_that_were_given_back_singly_cost_no_more_from_then_on(database):
    ledger = leader(database)
    ledger.commit([submit(cases=("a", "b")), hello("w1", "h1", cost_per_hour="7200")], 10.0)
    ledger.commit([c.ApplyPlan("plan", (c.ProposedAllocation("run/default", "w1", 2),))], 10.0)
    ledger.commit([reported(list(ledger.state.attempts.values())[1]), submit("other")], 11.0)
    ledger.commit([c.PassTime()], 20.0)
    ledger.commit([c.SlotsClosed("w1", "a1", (1,))], 30.0)
    second = leader(database)
    second.commit([reported(next(iter(second.state.attempts.values())))], 110.0)
    second.commit([c.WorkerReport("w1", "i1", (c.AllocationEnded("a1", Cause.DONE),))], 110.0)

    if not isinstance(second.store, MemoryStore):
        with second.store._engine.connect() as connection:
            # Of two slots at one a second one was held for 20 seconds, the other for 100.
            assert run_queries.cost(connection, "run") == 120.0


def test_a_copy_goes_on_under_the_next_leader_and_one_result_counts(database):
    ledger = leader(database)
    policy = c.PolicySpec(max_cases_per_task=1, speculate=100)
    cases = submit(cases=("a", "b"), policy=policy, estimates=(1.0, 1.0))
    ledger.commit([cases, hello("w1", "h1", 1), hello("w2", "h2", 1)], 1.0)
    both = (c.ProposedAllocation("run/default", "w1", 1), c.ProposedAllocation("run/default", "w2", 1))
    ledger.commit([c.ApplyPlan("plan", both)], 1.0)
    ledger.commit([reported(ledger.state.attempts[2])], 2.0)
    ledger.commit([c.PassTime()], 60.0)
    assert ledger.state.attempts[3].copy

    second = leader(database)
    assert second.state.groups["run/default"].copies == {0: 3}
    assert second.state.next_attempt == 4
    second.commit([c.WorkerLost("w1", "lost")], 61.0)
    third = leader(database)
    assert not third.state.attempts[3].copy
    third.commit([reported(third.state.attempts[3])], 62.0)
    assert third.state.runs["run"].verdict is RunVerdict.PASSED
    if not isinstance(third.store, MemoryStore):
        with third.store._engine.connect() as connection:
            rows = run_queries.attempts(connection, "run", 0, 10)
        assert [(row.attempt_id, row.worker_id, row.cause) for row in rows] == [
            (1, "w1", Cause.HOST_LOST),
            (2, "w2", Cause.DONE),
            (3, "w2", Cause.DONE),
        ]
