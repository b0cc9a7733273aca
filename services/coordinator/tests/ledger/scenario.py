"""Commands that bring a ledger into interesting states."""

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.core.outcomes import Cause, Outcome
from crossfleet.matching.model import Request, WorkerView

VIEW = WorkerView("w1", cpu_cores=2.0, slots_total=2, runners=frozenset({"noop"}))


def submit(run_id="run", cases=("a", "b", "c", "d"), *, request_id=None, fingerprint="f", **more):
    values = {
        "policy": c.PolicySpec(max_cases_per_task=1),
        "targets": (c.TargetSpec("default", "", Request()),),
        **more,
    }
    return c.SubmitRun(
        request_id=request_id or f"request-{run_id}",
        fingerprint=fingerprint,
        run_id=run_id,
        project="p",
        suite="s",
        runner="noop",
        priority=0,
        seed=1,
        spec=b"the spec",
        cases=tuple(cases),
        **values,
    )


def hello(session="s1", incarnation="i1", held=()):
    return c.WorkerHello("w1", incarnation, session, VIEW, ("noop",), b"description", tuple(held))


def plan(run_id="run", slots=2, target="default"):
    return c.ApplyPlan("plan", (c.ProposedAllocation(f"{run_id}/{target}", "w1", slots),))


def finish(attempt, outcome=Outcome.PASSED, seconds=0.25):
    results = tuple(c.CaseOutcome(i, outcome, seconds, "", f"full {i}".encode()) for i in attempt.cases)
    return c.WorkerReport(
        "w1", "i1", (c.AttemptResults(attempt.attempt_id, results), c.AttemptFinished(attempt.attempt_id, Cause.DONE))
    )


def start(ledger, run_id="run", now=1.0, **more):
    """A run whose tasks are on slots."""
    slots = min(2, len(more.get("cases", "abcd")))
    return ledger.commit([submit(run_id, **more), hello(), plan(run_id, slots)], now)


def work_off(ledger, now=2.0):
    """Finish everything and give the slots back."""
    for _ in range(1000):
        attempts = list(ledger.state.attempts.values())
        if not attempts:
            break
        ledger.commit([finish(one) for one in attempts], now)
    ended = [c.AllocationEnded(one, Cause.DONE) for one in ledger.state.allocations]
    ledger.commit([c.WorkerReport("w1", "i1", tuple(ended))], now)


def compare(ledger, run_id="run", digest="a"):
    """A run with a target `later` that is skipped where `default` has left what it did when `later` last passed."""
    later = c.TargetSpec("later", "", Request(), (c.Need("default", changed=True),))
    start(ledger, run_id, targets=(c.TargetSpec("default", "", Request()), later))
    ledger.commit([AttachArtifacts(run_id, (ArtifactRef("default", "w1/0/a.whl", digest, 1),))], 1.5)
    work_off(ledger)
    if run_id in ledger.state.runs and not ledger.state.groups[f"{run_id}/later"].over:
        ledger.commit([plan(run_id, target="later")], 2.0)
        work_off(ledger)
