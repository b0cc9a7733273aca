"""What a coordinator answers that does not lead: reads of what is committed, and of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from crossfleet.api.coordinator.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    artifact_service_pb2,
    artifact_service_pb2_grpc,
    event_service_pb2,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    inspection_service_pb2,
    log_service_pb2,
    run_service_pb2,
    run_service_pb2_grpc,
    schedule_service_pb2,
    schedule_service_pb2_grpc,
)
from crossfleet.api.worker.v1 import worker_service_pb2
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.place import place_of
from crossfleet.coordinator.artifacts.uploads import Uploads
from crossfleet.coordinator.assembly import UPLOADS
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.roles.methods import Handlers, handlers_of, only, paths_of
from crossfleet.coordinator.servicers.admin import AdminReads
from crossfleet.coordinator.servicers.artifacts import ArtifactServicer
from crossfleet.coordinator.servicers.fleet import Identity
from crossfleet.coordinator.servicers.fleet_reads import FleetReads
from crossfleet.coordinator.servicers.runs import RunReads
from crossfleet.coordinator.servicers.schedules import ScheduleReads
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import NotLeader
from crossfleet.foundation.serve.definition import Servicer

READS: Mapping[str, frozenset[str]] = {
    "RunService": frozenset(
        {
            "GetRun",
            "ListRuns",
            "ListCases",
            "GetCase",
            "ListAttempts",
            "ListExecutions",
            "ListCaseHistory",
            "ListDurations",
        }
    ),
    "FleetService": frozenset({"ListWorkers", "GetWorker", "GetFleet"}),
    "ArtifactService": frozenset({"ListArtifacts"}),
    "ScheduleService": frozenset({"GetSchedule", "ListSchedules"}),
    "AdminService": frozenset({"ListSettings", "UpdateSetting", "ListPlugins"}),
}
"""By service, the methods that need no leader. Events are not among them: what is watched is what happens now."""
_WITH_SHARED_ARTIFACTS = {**READS, "ArtifactService": READS["ArtifactService"] | {"DownloadBlob"}}


METHODS = paths_of(
    admin_service_pb2.DESCRIPTOR,
    artifact_service_pb2.DESCRIPTOR,
    event_service_pb2.DESCRIPTOR,
    fleet_service_pb2.DESCRIPTOR,
    inspection_service_pb2.DESCRIPTOR,
    log_service_pb2.DESCRIPTOR,
    run_service_pb2.DESCRIPTOR,
    schedule_service_pb2.DESCRIPTOR,
    worker_service_pb2.DESCRIPTOR,
)
"""The paths of all that a leader answers."""


def reads(
    settings: Settings,
    sources: Mapping[str, str],
    folder: Path,
    queries: Queries,
    identity: Identity,
    draining: Draining,
) -> Handlers:
    """The handlers of the methods in READS."""
    state = State()
    lookup = Lookup(queries, lambda: state, _refuse)
    place = place_of(settings.artifacts, folder, settings.artifacts_credentials_file)
    blobs = BlobStore(place)
    artifacts = ArtifactServicer(blobs, Uploads(blobs, folder / UPLOADS, settings.blob_bytes), lookup, draining)
    # The switch refuses what they do not implement.
    servicers: list[Servicer] = [
        (run_service_pb2_grpc.add_RunServiceServicer_to_server, RunReads(lookup)),  # type: ignore[abstract]
        (fleet_service_pb2_grpc.add_FleetServiceServicer_to_server, FleetReads(queries, identity)),  # type: ignore[abstract]
        (artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server, artifacts),
        (schedule_service_pb2_grpc.add_ScheduleServiceServicer_to_server, ScheduleReads(lookup, SystemClock())),  # type: ignore[abstract]
        (admin_service_pb2_grpc.add_AdminServiceServicer_to_server, AdminReads(settings, sources)),  # type: ignore[abstract]
    ]
    return only(handlers_of(servicers), _WITH_SHARED_ARTIFACTS if place.shared else READS)


async def _refuse(command: Command) -> NoReturn:
    raise NotLeader(f"{type(command).__name__} is for the leader")
