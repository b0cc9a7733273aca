"""The coverage data that the sessions of a run left among its artifacts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact
from crossfleet.client import Client

_FOLDER = "coverage"


@dataclass(frozen=True, slots=True)
class Measured:
    """One session's data file, and what pytest-cov was asked for there."""

    data: Path
    wanted: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MeasuredSessions:
    """All of a run. The folder goes when this does."""

    folder: tempfile.TemporaryDirectory[str]
    sessions: tuple[Measured, ...]


async def fetch_measured(client: Client, artifacts: Sequence[Artifact]) -> MeasuredSessions | None:
    """Fetch what was measured; None where nothing was. Raises the fleet's error."""
    files = {
        (artifact.target, artifact.name): artifact.digest
        for artifact in artifacts
        if PurePosixPath(artifact.name).parent.name == _FOLDER
    }
    pairs = [
        (digest, files[target, name.removesuffix(".json") + ".data"])
        for (target, name), digest in sorted(files.items())
        if name.endswith(".json") and (target, name.removesuffix(".json") + ".data") in files
    ]
    if not pairs:
        return None
    folder = tempfile.TemporaryDirectory(prefix="crossfleet-coverage-")
    sessions = []
    for number, (description, data) in enumerate(pairs):
        path = Path(folder.name, f"{number}.data")
        path.write_bytes(b"".join([piece async for piece in client.artifacts.download(data)]))
        wanted = json.loads(b"".join([piece async for piece in client.artifacts.download(description)]))
        sessions.append(Measured(path, wanted))
    return MeasuredSessions(folder, tuple(sessions))
