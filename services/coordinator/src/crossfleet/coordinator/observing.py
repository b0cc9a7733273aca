"""What Prometheus is told of the coordinator. Nothing is counted unless /metrics is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.outcomes import Outcome

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.writer import Committed, LedgerWriter
    from crossfleet.coordinator.sessions.fleet import FleetSessions


class Observer(Protocol):
    """Sees every committed batch."""

    def committed(self, batch: Committed) -> None:
        """Called right after each commit."""


class NullObserver:
    """Counts nothing."""

    def committed(self, batch: Committed) -> None:
        """Does nothing."""


class PrometheusObserver:
    """Counts batches, facts, assigned tasks and cases by outcome; shows sessions and open runs."""

    def __init__(self, sessions: FleetSessions, writer: LedgerWriter) -> None:
        """Gauges are read from `sessions` and `writer` when they are asked for."""
        from prometheus_client import Counter, Gauge

        self._batches = Counter("crossfleet_ledger_batches", "Committed batches.")
        self._events = Counter("crossfleet_ledger_events", "Committed facts.")
        self._tasks = Counter("crossfleet_tasks_assigned", "Attempts put on slots.")
        self._cases = Counter("crossfleet_cases_finished", "Verdicts of cases.", ["outcome"])
        self._by_outcome = {outcome: self._cases.labels(outcome.name.lower()) for outcome in Outcome if outcome}
        self._runs = Counter("crossfleet_runs_finished", "Finished runs.", ["verdict"])
        Gauge("crossfleet_worker_sessions", "Open sessions of workers.").set_function(lambda: len(sessions))
        Gauge("crossfleet_open_runs", "Runs that are not over.").set_function(lambda: len(writer.state.runs))
        Gauge("crossfleet_live_attempts", "Attempts that run.").set_function(lambda: len(writer.state.attempts))

    def committed(self, batch: Committed) -> None:
        """Counts a batch."""
        self._batches.inc()
        self._events.inc(len(batch.events))
        for event in batch.events:
            if type(event) is facts.TasksAssigned:
                self._tasks.inc(len(event.tasks))
            elif type(event) is facts.CasesFinished:
                for case in event.cases:
                    self._by_outcome[case.outcome].inc()
            elif type(event) is facts.RunFinished:
                self._runs.labels(event.verdict.name.lower()).inc()


def observer(metrics: str, sessions: FleetSessions, writer: LedgerWriter) -> Observer:
    """The observer for the /metrics address `metrics`; the null one where that is empty."""
    return PrometheusObserver(sessions, writer) if metrics else NullObserver()
