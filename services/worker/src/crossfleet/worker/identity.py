"""Who this worker is, as it introduces itself."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.worker.config import Settings
from crossfleet.worker.detectors.cpu import cores, memory_bytes
from crossfleet.worker.gauges.host import measurable
from crossfleet.worker.inventory import Inventory

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def worker_version() -> str:
    """The version of this code."""
    return version("crossfleet-worker")


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change while the agent lives. Memory in bytes."""

    name: str
    labels: dict[str, str]
    taints: tuple[str, ...]
    slots: int
    cpu_cores: float
    memory_bytes: int
    runners: tuple[str, ...]
    gates: tuple[str, ...] = ()

    def worker(self, incarnation: str, inventory: Inventory) -> Worker:
        """As the coordinator reads it; `incarnation` is the life of the shim."""
        return Worker(
            worker_id=self.name,
            incarnation=incarnation,
            labels=self.labels,
            devices=inventory.devices,
            slots=self.slots,
            cpu_cores=self.cpu_cores,
            memory_bytes=self.memory_bytes,
            taints=self.taints,
            version=worker_version(),
            host=platform.node(),
            runners=self.runners,
            checks_health=True,
            gates=self.gates,
            detector_errors=inventory.troubles,
            looking=not inventory.looked,
        )


def identity(settings: Settings, runners: Sequence[str]) -> Identity:
    """From the settings, with the host's own values where they say nothing. Raises ConfigurationInvalid."""
    name = settings.name or platform.node()
    if not _NAME.fullmatch(name):
        raise _wrong(
            "name", f"{name!r} must be letters, digits, '.', '_' or '-', at most 63, not beginning with a sign"
        )
    usable = cores()
    return Identity(
        name=name,
        labels=_labels(settings.label),
        taints=settings.taint,
        slots=settings.slots or usable,
        cpu_cores=settings.cpu_cores or float(usable),
        memory_bytes=settings.memory or memory_bytes(),
        runners=tuple(runners),
        gates=tuple(measurable(Path(settings.host_root))),
    )


def _labels(texts: Sequence[str]) -> dict[str, str]:
    labels = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not key or not sign:
            raise _wrong("label", f"{text!r} must have the form KEY=VALUE")
        labels[key] = value
    return labels


def devices_to_share(names: Sequence[str]) -> frozenset[str]:
    """Classes and ids of devices of which several slots may hold portions. Raises ConfigurationInvalid."""
    for name in names:
        if not name or name in ("cpu", "cpu-0"):
            raise _wrong(
                "share",
                f"{name!r} is no class or id of devices that can be shared: slots share processors by their cores",
            )
    return frozenset(names)


def _wrong(field: str, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid("the worker's settings are wrong", fields=[FieldViolation(field, what)])
