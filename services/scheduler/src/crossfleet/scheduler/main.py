"""Wires the scheduler: settings, logs, the servicer, the server."""

from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from crossfleet.foundation import logs, telemetry
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.config import load
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve import ServiceDefinition, run_service, serve
from crossfleet.scheduler import __version__
from crossfleet.scheduler.config import Settings
from crossfleet.scheduler.core.model import Policy
from crossfleet.scheduler.recorder import NullRecorder, PrometheusRecorder
from crossfleet.scheduler.servicer import SchedulerServicer


async def start() -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    settings = load(Settings, service="scheduler")
    logs.configure("scheduler", format=settings.log_format, level=settings.log_level)
    telemetry.configure("scheduler")
    draining = Draining()
    servicer = SchedulerServicer(
        policy=Policy(
            pending_seconds=settings.pending_seconds,
            refusal_seconds=settings.refusal_seconds,
            patience_seconds=settings.patience_seconds,
            reservations=settings.reservations,
            preemption_gap=settings.preemption_gap,
            preemption_ratio=settings.preemption_ratio,
            preemptions_per_hour=settings.preemptions_per_hour,
        ),
        version=__version__,
        clock=SystemClock(),
        draining=draining,
        recorder=PrometheusRecorder() if settings.server.metrics else NullRecorder(),
    )
    definition = ServiceDefinition("scheduler", [(add_SchedulerServiceServicer_to_server, servicer)])
    await serve(definition, settings.server, draining=draining)


def main() -> int:
    """Run the service; answers the exit status: 0 after a drain, 2 for wrong settings, 3 for anything else."""
    return run_service("scheduler", start)
