"""What Prometheus is told of the coordinator. Nothing is counted unless /metrics is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from crossfleet.api.worker.v1.worker_service_pb2 import ConnectRequest, ConnectResponse
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.outcomes import Outcome

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.writer import Committed, LedgerWriter
    from crossfleet.coordinator.sessions.fleet import FleetSessions


# A commit is one fsync: a fraction of a millisecond on good disks, seconds on one that is in trouble.
_COMMIT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Observer(Protocol):
    """Sees every committed batch, and what workers say and are told."""

    def committed(self, batch: Committed) -> None:
        """Called right after each commit."""

    def hearing(self, requests: AsyncIterator[ConnectRequest]) -> AsyncIterator[ConnectRequest]:
        """The same requests of a worker, seen as they pass."""

    def told(self, response: ConnectResponse) -> None:
        """Called with each response to a worker."""


class NullObserver:
    """Counts nothing."""

    def committed(self, batch: Committed) -> None:
        """Does nothing."""

    def hearing(self, requests: AsyncIterator[ConnectRequest]) -> AsyncIterator[ConnectRequest]:
        """The iterator itself."""
        return requests

    def told(self, response: ConnectResponse) -> None:
        """Does nothing."""


class PrometheusObserver:
    """Counts batches (and times them), facts, tasks, cases by outcome, traffic with workers; shows queue, sessions, runs."""

    def __init__(self, sessions: FleetSessions, writer: LedgerWriter) -> None:
        """Gauges are read from `sessions` and `writer` when they are asked for."""
        from prometheus_client import Counter, Gauge, Histogram

        self._writer = writer
        self._batches = Counter("crossfleet_ledger_batches", "Committed batches.")
        self._seconds = Histogram(
            "crossfleet_ledger_commit_seconds", "Time of a batch until it is on the disk.", buckets=_COMMIT_BUCKETS
        )
        self._events = Counter("crossfleet_ledger_events", "Committed facts.")
        self._tasks = Counter("crossfleet_tasks_assigned", "Attempts put on slots.")
        self._cases = Counter("crossfleet_cases_finished", "Verdicts of cases.", ["outcome"])
        self._by_outcome = {outcome: self._cases.labels(outcome.name.lower()) for outcome in Outcome if outcome}
        self._reruns = Counter("crossfleet_cases_rerun", "Failures after which a case was run again.")
        self._runs = Counter("crossfleet_runs_finished", "Finished runs.", ["verdict"])
        messages = Counter("crossfleet_session_messages", "Messages of the streams with workers.", ["direction"])
        size = Counter("crossfleet_session_bytes", "Their bytes, without what gRPC adds.", ["direction"])
        self._up, self._up_bytes = messages.labels("up"), size.labels("up")
        self._down, self._down_bytes = messages.labels("down"), size.labels("down")
        Gauge("crossfleet_ledger_queue", "Commands that wait for the next batch.").set_function(lambda: writer.waiting)
        Gauge("crossfleet_worker_sessions", "Open sessions of workers.").set_function(lambda: len(sessions))
        Gauge("crossfleet_open_runs", "Runs that are not over.").set_function(lambda: len(writer.state.runs))
        Gauge("crossfleet_live_attempts", "Attempts that run.").set_function(lambda: len(writer.state.attempts))

    async def hearing(self, requests: AsyncIterator[ConnectRequest]) -> AsyncIterator[ConnectRequest]:
        """Counts each request."""
        async for request in requests:
            self._up.inc()
            self._up_bytes.inc(request.ByteSize())
            yield request

    def told(self, response: ConnectResponse) -> None:
        """Counts a response."""
        self._down.inc()
        self._down_bytes.inc(response.ByteSize())

    def committed(self, batch: Committed) -> None:
        """Counts a batch."""
        self._batches.inc()
        self._seconds.observe(self._writer.commit_seconds)
        self._events.inc(len(batch.events))
        for event in batch.events:
            if type(event) is facts.TasksAssigned:
                self._tasks.inc(len(event.tasks))
            elif type(event) is facts.CasesFinished:
                for case in event.cases:
                    self._by_outcome[case.outcome].inc()
            elif type(event) is facts.CasesRerun:
                self._reruns.inc(len(event.cases))
            elif type(event) is facts.RunFinished:
                self._runs.labels(event.verdict.name.lower()).inc()


def observer(metrics: str, sessions: FleetSessions, writer: LedgerWriter) -> Observer:
    """The observer for the /metrics address `metrics`; the null one where that is empty."""
    return PrometheusObserver(sessions, writer) if metrics else NullObserver()
