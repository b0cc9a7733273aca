"""AdminService: settings, plugins and the scheduler, for operators."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import grpc
import msgspec

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import admin_service_pb2_grpc as admin_grpc
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.convert.schedulers import standing
from crossfleet.coordinator.scheduling.schedulers import Schedulers
from crossfleet.foundation.config import describe
from crossfleet.foundation.errors import SettingNotFound, Unimplemented
from crossfleet.foundation.redaction import without_secrets


class AdminReads(admin_grpc.AdminServiceServicer):
    """What a process knows of itself. Answers from what it was started with."""

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
        """Refused. Raises SettingNotFound, Unimplemented."""
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
    """And what a leader knows of its schedulers."""

    def __init__(self, settings: Settings, sources: Mapping[str, str], schedulers: Schedulers) -> None:
        super().__init__(settings, sources)
        self._schedulers = schedulers

    async def GetScheduler(
        self, request: admin_pb2.GetSchedulerRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.GetSchedulerResponse:
        """Which schedulers decide, and how their plans fared since the start."""
        figures = self._schedulers.figures
        return admin_pb2.GetSchedulerResponse(
            name=figures.name,
            version=figures.version,
            address=figures.address,
            connected=figures.connected,
            plans=figures.plans,
            accepted=figures.accepted,
            refused=figures.refused,
            last_refusal=figures.last_refusal,
            schedulers=[standing(one) for one in self._schedulers.standings()],
        )


def _value(settings: msgspec.Struct, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in path:
        value = getattr(value, part)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda other: None if other is msgspec.NODEFAULT else str(other))
