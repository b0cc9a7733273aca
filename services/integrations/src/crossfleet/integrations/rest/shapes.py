"""The JSON shapes of REST, version 1. Names follow the protos; times are RFC 3339 in UTC, durations are seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, Field

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.foundation.words import word


class CountsBody(BaseModel):
    """Cases by outcome; every case is in exactly one field besides `total`."""

    total: int
    passed: int
    failed: int
    errors: int
    skipped: int
    xfailed: int
    xpassed: int
    crashed: int
    timed_out: int
    cancelled: int
    not_run: int
    pending: int
    flaky: int

    @classmethod
    def of(cls, counts: result_pb2.Counts) -> CountsBody:
        """The shape of a message."""
        return cls(**{name: getattr(counts, name) for name in cls.model_fields})


class TargetBody(BaseModel):
    """One target of a run and where it stands."""

    name: str
    state: str = Field(examples=["running"])
    counts: CountsBody
    waiting_reason: str
    cause: str
    worker_ids: list[str]


class RunBody(BaseModel):
    """One run and where it stands."""

    run_id: str
    project: str
    title: str
    suite: str
    state: str = Field(examples=["finished"])
    verdict: str = Field(examples=["passed", "failed", "infrastructure", "cancelled", ""])
    cause: str
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    counts: CountsBody
    targets: list[TargetBody]

    @classmethod
    def of(cls, run: run_pb2.Run) -> RunBody:
        """The shape of a message."""
        return cls(
            run_id=run.run_id,
            project=run.spec.project,
            title=run.spec.title,
            suite=run.spec.suite.name,
            state=_word(run_pb2.RunState, run.state),
            verdict=_word(run_pb2.RunVerdict, run.verdict),
            cause=run.cause,
            created_at=_moment(run.created_at),
            started_at=_moment(run.started_at),
            finished_at=_moment(run.finished_at),
            counts=CountsBody.of(run.counts),
            targets=[_target(target) for target in run.targets],
        )


class RunsBody(BaseModel):
    """A page of runs, newest first. An empty `next_page_token` means the end."""

    runs: list[RunBody]
    next_page_token: str


class ProblemBody(BaseModel):
    """RFC 9457 problem details. `reason` is the same word as in gRPC's ErrorInfo."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    metadata: dict[str, str]
    fields: dict[str, str] = Field(description="What is wrong with which field.")


def _target(target: run_pb2.TargetStatus) -> TargetBody:
    return TargetBody(
        name=target.name,
        state=_word(run_pb2.TargetState, target.state),
        counts=CountsBody.of(target.counts),
        waiting_reason=target.waiting_reason,
        cause=target.cause,
        worker_ids=list(target.worker_ids),
    )


def _word(enum: Any, number: int) -> str:
    return word(enum, number) if number else ""


def _moment(timestamp: Timestamp) -> datetime | None:
    return timestamp.ToDatetime(UTC) if timestamp.seconds or timestamp.nanos else None
