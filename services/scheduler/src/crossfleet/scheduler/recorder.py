"""What is counted about planning: nothing, or for Prometheus."""

from typing import Protocol

from crossfleet.scheduler.core.model import Plan


class Recorder(Protocol):
    """Is told of each plan and of each gap."""

    def planned(self, plan: Plan, seconds: float) -> None:
        """A plan was made and took so long."""

    def gap(self) -> None:
        """A snapshot had to be asked for."""


class NullRecorder:
    """Counts nothing, for a service that nobody scrapes."""

    def planned(self, plan: Plan, seconds: float) -> None:
        """Nothing."""

    def gap(self) -> None:
        """Nothing."""


class PrometheusRecorder:
    """Counts for ``/metrics``."""

    def __init__(self) -> None:
        """Register the metrics, once in a process."""
        import prometheus_client  # only where metrics are served: it costs the cold start of an embedded fleet

        counter, gauge = prometheus_client.Counter, prometheus_client.Gauge
        self._seconds = prometheus_client.Histogram(
            "crossfleet_scheduler_plan_seconds",
            "Seconds from a settled snapshot to its plan.",
            buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        )
        self._proposed = counter("crossfleet_scheduler_proposed_slots_total", "Slots proposed.")
        self._gaps = counter("crossfleet_scheduler_gaps_total", "Snapshots asked for because a delta was missing.")
        self._waiting = gauge("crossfleet_scheduler_waiting_groups", "Groups that get less than they want, now.")

    def planned(self, plan: Plan, seconds: float) -> None:
        """Observe one plan."""
        self._seconds.observe(seconds)
        self._proposed.inc(sum(proposal.slots for proposal in plan.allocate))
        self._waiting.set(plan.short)

    def gap(self) -> None:
        """Count one gap."""
        self._gaps.inc()
