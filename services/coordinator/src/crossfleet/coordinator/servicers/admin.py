"""AdminService: settings, plugins, the scheduler, retention and backups, for operators."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from typing import Any

import grpc
import msgspec

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import admin_service_pb2_grpc as admin_grpc
from crossfleet.coordinator.artifacts.blobs import PIECE_BYTES
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.retention.retention import Retention
from crossfleet.coordinator.retention.rows import Removed
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.config import describe
from crossfleet.foundation.errors import SettingNotFound, Unimplemented
from crossfleet.foundation.redaction import without_secrets


class AdminReads(admin_grpc.AdminServiceServicer):
    """What a process knows of itself. Answers from what it was started with; changes come later and say so."""

    def __init__(self, settings: Settings, sources: Mapping[str, str]) -> None:
        """`sources` says by name where a setting comes from that is not a default."""
        self._settings = settings
        self._sources = sources

    async def ListSettings(
        self, request: admin_pb2.ListSettingsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.ListSettingsResponse:
        """Every setting with its value, default and description."""
        response = admin_pb2.ListSettingsResponse()
        for known in sorted(describe(Settings), key=lambda one: one.name):
            response.settings.add(
                name=known.name,
                value_json=_json(without_secrets({"value": _value(self._settings, known.path)})["value"]),
                default_json=_json(known.default),
                source=self._sources.get(known.name, "default"),
                description=known.description,
                live=known.live,
                version=1,
            )
        return response

    async def UpdateSetting(
        self, request: admin_pb2.UpdateSettingRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.UpdateSettingResponse:
        """Refused for now. Raises SettingNotFound, Unimplemented."""
        if request.name not in {known.name for known in describe(Settings)}:
            raise SettingNotFound(f"no setting {request.name!r}", setting=request.name, service="coordinator")
        raise Unimplemented("settings are changed by a restart: flags, environment or file", feature="UpdateSetting")

    async def ListPlugins(
        self, request: admin_pb2.ListPluginsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.ListPluginsResponse:
        """What is installed here by entry point, by category and name."""
        from crossfleet.foundation.plugins import Category, discover

        response = admin_pb2.ListPluginsResponse()
        for category in sorted(Category, key=lambda one: one.value):
            for name, found in discover(category).items():
                response.plugins.add(
                    category=category.value.removeprefix("crossfleet.").removesuffix("s"),
                    name=name,
                    distribution=f"{found.distribution} {found.version}".strip(),
                    state="discovered",
                    cause=found.conflict,
                )
        return response


class AdminServicer(AdminReads):
    """All of the service."""

    def __init__(
        self,
        settings: Settings,
        sources: Mapping[str, str],
        figures: SchedulerFigures,
        retention: Retention,
        backup: Callable[[bool, float], AsyncIterator[bytes]],
        clock: Clock,
    ) -> None:
        """`figures` the link keeps up to date; `backup` makes one as of a time, with artifacts or without."""
        super().__init__(settings, sources)
        self._retention = retention
        self._backup = backup
        self._clock = clock
        self._figures = figures

    async def GetScheduler(
        self, request: admin_pb2.GetSchedulerRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.GetSchedulerResponse:
        """Which scheduler decides, and how its plans fared since the start."""
        figures = self._figures
        return admin_pb2.GetSchedulerResponse(
            name=figures.name,
            version=figures.version,
            address=figures.address,
            connected=figures.connected,
            plans=figures.plans,
            accepted=figures.accepted,
            refused=figures.refused,
            last_refusal=figures.last_refusal,
        )

    async def GetRetention(
        self, request: admin_pb2.GetRetentionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.GetRetentionResponse:
        """How long things are kept, and what goes. Raises ArtifactStoreUnavailable."""
        retention, policy = self._retention, self._retention.policy
        response = admin_pb2.GetRetentionResponse(
            days=policy.days,
            runs=policy.runs,
            artifact_days=policy.artifact_days,
            log_days=policy.log_days,
            grace_hours=policy.grace_hours,
            blobs_wait=not retention.blobs_certain(),
        )
        if request.count:
            response.next.CopyFrom(_counts(await retention.foreseen()))
        if retention.last_at:
            response.last.CopyFrom(_counts(retention.last))
            response.last_at.FromNanoseconds(int(retention.last_at * 1e9))
        return response

    async def Backup(
        self, request: admin_pb2.BackupRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[admin_pb2.BackupResponse]:
        """The bytes of a backup, then what they are. Raises ArtifactStoreUnavailable."""
        at = self._clock.now()
        digest, size = hashlib.sha256(), 0
        async for made in self._backup(request.artifacts, at):
            for start in range(0, len(made), PIECE_BYTES):
                content = made[start : start + PIECE_BYTES]
                digest.update(content)
                size += len(content)
                yield admin_pb2.BackupResponse(content=content)
        summary = admin_pb2.BackupSummary(sha256=digest.hexdigest(), size_bytes=size)
        summary.taken_at.FromNanoseconds(int(at * 1e9))
        yield admin_pb2.BackupResponse(summary=summary)


def _counts(removed: Removed) -> admin_pb2.RetentionCounts:
    return admin_pb2.RetentionCounts(**asdict(removed))


def _value(settings: msgspec.Struct, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in path:
        value = getattr(value, part)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda other: None if other is msgspec.NODEFAULT else str(other))
