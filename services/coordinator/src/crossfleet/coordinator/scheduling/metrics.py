"""What Prometheus is told of schedulers: read off their figures when it asks, so that planning pays nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from crossfleet.coordinator.core.breaker import Stage

if TYPE_CHECKING:
    from crossfleet.coordinator.scheduling.schedulers import Schedulers

_LABELS = ["scheduler"]


class SchedulerCollector(Collector):
    """Registered until `end`: a process may lead more than once."""

    def __init__(self, schedulers: Schedulers) -> None:
        self._schedulers = schedulers

    def collect(self) -> Iterator[Metric]:
        """One family for each figure, with a value for each scheduler."""
        prefix = "crossfleet_scheduler"
        connected = GaugeMetricFamily(f"{prefix}_connected", "1 while its stream is up.", labels=_LABELS)
        breaker = GaugeMetricFamily(
            f"{prefix}_out", "1 while its breaker is open, 0.5 while it is tried, 0 while it decides.", labels=_LABELS
        )
        groups = GaugeMetricFamily(f"{prefix}_groups", "Open groups for which it decides now.", labels=_LABELS)
        seconds = GaugeMetricFamily(f"{prefix}_answer_seconds", "Its usual time for an answer.", labels=_LABELS)
        openings = CounterMetricFamily(f"{prefix}_openings", "How often its breaker has opened.", labels=_LABELS)
        plans = CounterMetricFamily(f"{prefix}_plans", "Plans received.", labels=_LABELS)
        judged = CounterMetricFamily(
            f"{prefix}_proposals",
            "Proposals by what became of them: accepted, refused, or late, which held by what it knew.",
            labels=[*_LABELS, "outcome"],
        )
        left_out = GaugeMetricFamily(
            f"{prefix}_left_out",
            "Groups, workers and allocations that its updates leave out, as they cannot be put into words.",
            labels=_LABELS,
        )
        for one in self._schedulers.standings():
            label, figures = [one.name], one.figures
            connected.add_metric(label, float(figures.connected))
            groups.add_metric(label, one.groups)
            plans.add_metric(label, figures.plans)
            left_out.add_metric(label, figures.left_out)
            judged.add_metric([one.name, "accepted"], figures.accepted)
            judged.add_metric([one.name, "refused"], figures.refused - figures.late)
            judged.add_metric([one.name, "late"], figures.late)
            if one.stage is not None:
                breaker.add_metric(label, {Stage.CLOSED: 0.0, Stage.HALF_OPEN: 0.5, Stage.OPEN: 1.0}[one.stage])
                openings.add_metric(label, one.openings)
                seconds.add_metric(label, figures.answer_seconds)
        yield from (connected, breaker, groups, seconds, openings, plans, judged, left_out)

    def end(self) -> None:
        """Nothing is told any more."""
        REGISTRY.unregister(self)


def collector(schedulers: Schedulers) -> SchedulerCollector:
    """A collector that is registered."""
    made = SchedulerCollector(schedulers)
    REGISTRY.register(made)
    return made
