"""Artifacts: stored blobs that belong to a run; their command and facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """A stored blob that belongs to a run."""

    target: str
    name: str
    digest: str
    size: int
    media_type: str = ""
    case_id: str = ""


@dataclass(frozen=True, slots=True)
class AttachArtifacts:
    """Blobs become artifacts of a run."""

    run_id: str
    artifacts: tuple[ArtifactRef, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactsAttached:
    """Blobs belong to the run."""

    run_id: str
    artifacts: tuple[ArtifactRef, ...]
    at: float


@dataclass(frozen=True, slots=True)
class ArtifactsWaiting:
    """A worker keeps artifacts of the group, by name, until they can be stored."""

    run_id: str
    group_id: str
    worker_id: str
    names: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class ArtifactsLost:
    """Artifacts of the group, by name, that will never be stored."""

    run_id: str
    group_id: str
    names: tuple[str, ...]


ArtifactFact = ArtifactsAttached | ArtifactsWaiting | ArtifactsLost
