"""A fleet in the middle of its work, made by real commands: queued, running and finished tasks of one case each."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.outcomes import Cause, Outcome
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.store import Store
from crossfleet.matching.model import Request, WorkerView

RUNS = 20
SLOTS = 50
# As many reports as a busy writer finds waiting.
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Size:
    """Tasks by state, over all runs. Finished ones belong to runs that are still open."""

    queued: int
    running: int
    finished: int


def fill(store: Store, size: Size) -> int:
    """Fills an empty store; answers the number of commits."""
    ledger = Ledger(store)
    ledger.open("filling", "etcd", 1)
    workers = size.running // SLOTS
    each = (size.queued + size.running + size.finished) // RUNS
    for run in range(RUNS):
        ledger.commit([_submit(run, each)], 1.0)
    for worker in range(workers):
        name = f"w{worker}"
        view = WorkerView(name, cpu_cores=float(SLOTS), slots_total=SLOTS, runners=frozenset({"noop"}))
        hello = c.WorkerHello(name, "i", f"session-{name}", view, ("noop",), b"x" * 500)
        group = f"run-{worker % RUNS:02d}/default"
        ledger.commit([hello, c.ApplyPlan(f"plan-{name}", (c.ProposedAllocation(group, name, SLOTS),))], 2.0)
    left = size.finished
    while True:
        _want(ledger)
        if left <= 0:
            return ledger.seq
        left -= _finish(ledger, left)


def _submit(run: int, cases: int) -> c.SubmitRun:
    name = f"run-{run:02d}"
    ids = tuple(
        f"tests/part_{index // 100:03d}/test_{index // 10:04d}.py::test_case[{index}]" for index in range(cases)
    )
    policy = c.PolicySpec(max_cases_per_task=1)
    target = c.TargetSpec("default", "", Request())
    return c.SubmitRun(name, "f", name, "project", "suite", "noop", 0, (target,), policy, 1, b"s" * 400, ids)


def _want(ledger: Ledger) -> None:
    wishes = [
        c.WantTasks(one.worker_id, one.allocation_id, tuple(n for n, slot in one.slots.items() if not slot.attempts))
        for one in ledger.state.allocations.values()
    ]
    for start in range(0, len(wishes), _AT_ONCE):
        ledger.commit([wish for wish in wishes[start : start + _AT_ONCE] if wish.slots], 3.0)


def _finish(ledger: Ledger, limit: int) -> int:
    """Ends what runs, at most `limit` of it."""
    reports: list[c.Command] = []
    for attempt in list(ledger.state.attempts.values())[:limit]:
        result = c.CaseOutcome(attempt.cases[0], Outcome.PASSED, 0.25, "", b"full result")
        items = (c.AttemptResults(attempt.attempt_id, (result,)), c.AttemptFinished(attempt.attempt_id, Cause.DONE))
        reports.append(c.WorkerReport(attempt.worker_id, "i", items))
    for start in range(0, len(reports), _AT_ONCE):
        ledger.commit(reports[start : start + _AT_ONCE], 4.0)
    return len(reports)
