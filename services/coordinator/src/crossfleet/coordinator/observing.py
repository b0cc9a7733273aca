"""What Prometheus is told of the coordinator. Nothing is counted unless /metrics is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import TYPE_CHECKING, Protocol

from crossfleet.api.worker.v1.worker_service_pb2 import ConnectRequest, ConnectResponse
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.outcomes import Outcome

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.writer import Committed, LedgerWriter
    from crossfleet.coordinator.scheduling.schedulers import Schedulers
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

    def ended(self) -> None:
        """Called when the coordinator leads no more."""


class NullObserver:
    """Counts nothing."""

    def committed(self, batch: Committed) -> None:
        """Does nothing."""

    def hearing(self, requests: AsyncIterator[ConnectRequest]) -> AsyncIterator[ConnectRequest]:
        """The iterator itself."""
        return requests

    def told(self, response: ConnectResponse) -> None:
        """Does nothing."""

    def ended(self) -> None:
        """Does nothing."""


class _Instruments:
    """A registry refuses a second metric of one name, and a process may lead more than once."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        self.batches = Counter("crossfleet_ledger_batches", "Committed batches.")
        self.seconds = Histogram(
            "crossfleet_ledger_commit_seconds", "Time of a batch until it is on the disk.", buckets=_COMMIT_BUCKETS
        )
        self.events = Counter("crossfleet_ledger_events", "Committed facts.")
        self.tasks = Counter("crossfleet_tasks_assigned", "Attempts put on slots.")
        self.cases = Counter("crossfleet_cases_finished", "Verdicts of cases.", ["outcome"])
        self.reruns = Counter("crossfleet_cases_rerun", "Failures after which a case was run again.")
        self.health = Counter("crossfleet_health_changes", "Steps of hosts and devices that failed.", ["what", "stage"])
        self.quarantined = Gauge(
            "crossfleet_workers_quarantined", "Workers that get no work since too much failed there."
        )
        self.runs = Counter("crossfleet_runs_finished", "Finished runs.", ["verdict"])
        self.messages = Counter("crossfleet_session_messages", "Messages of the streams with workers.", ["direction"])
        self.bytes = Counter("crossfleet_session_bytes", "Their bytes, without what gRPC adds.", ["direction"])
        self.queue = Gauge("crossfleet_ledger_queue", "Commands that wait for the next batch.")
        self.sessions = Gauge("crossfleet_worker_sessions", "Open sessions of workers.")
        self.open_runs = Gauge("crossfleet_open_runs", "Runs that are not over.")
        self.live_attempts = Gauge("crossfleet_live_attempts", "Attempts that run.")
        self.leads = Gauge("crossfleet_leads", "1 while this coordinator leads, else 0.")


@cache
def _instruments() -> _Instruments:
    return _Instruments()


class PrometheusObserver:
    """Counts batches (and times them), facts, tasks, cases by outcome, traffic with workers; shows queue, sessions, runs."""

    def __init__(self, sessions: FleetSessions, writer: LedgerWriter, schedulers: Schedulers) -> None:
        """Gauges are read from these when they are asked for, until `ended`."""
        from crossfleet.coordinator.scheduling.metrics import (
            collector,
        )  # as all of Prometheus, only where it is asked for

        self._writer = writer
        self._schedulers = collector(schedulers)
        made = self._made = _instruments()
        self._by_outcome = {outcome: made.cases.labels(outcome.name.lower()) for outcome in Outcome if outcome}
        self._up, self._up_bytes = made.messages.labels("up"), made.bytes.labels("up")
        self._down, self._down_bytes = made.messages.labels("down"), made.bytes.labels("down")
        made.queue.set_function(lambda: writer.waiting)
        made.sessions.set_function(lambda: len(sessions))
        made.open_runs.set_function(lambda: len(writer.state.runs))
        made.live_attempts.set_function(lambda: len(writer.state.attempts))
        made.quarantined.set_function(lambda: sum(one.quarantined for one in writer.state.workers.values()))
        made.leads.set(1)

    def ended(self) -> None:
        """Lets go of what gauges were read from."""
        made = self._made
        for gauge in (made.queue, made.sessions, made.open_runs, made.live_attempts, made.quarantined):
            gauge.set_function(int)
        made.leads.set(0)
        self._schedulers.end()

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
        self._made.batches.inc()
        self._made.seconds.observe(self._writer.commit_seconds)
        self._made.events.inc(len(batch.events))
        for event in batch.events:
            if type(event) is facts.TasksAssigned:
                self._made.tasks.inc(len(event.tasks))
            elif type(event) is facts.CasesFinished:
                for case in event.cases:
                    self._by_outcome[case.outcome].inc()
            elif type(event) is facts.CasesRerun:
                self._made.reruns.inc(len(event.cases))
            elif type(event) is facts.HealthChanged:
                what = "device" if event.device_id else "host"
                self._made.health.labels(what, event.health.stage.name.lower()).inc()
            elif type(event) is facts.RunFinished:
                self._made.runs.labels(event.verdict.name.lower()).inc()


def observer(metrics: str, sessions: FleetSessions, writer: LedgerWriter, schedulers: Schedulers) -> Observer:
    """The observer for the /metrics address `metrics`; the null one where that is empty."""
    return PrometheusObserver(sessions, writer, schedulers) if metrics else NullObserver()
