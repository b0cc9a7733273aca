"""Puts the parts of a coordinator together. Nothing else constructs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crossfleet.api.coordinator.v1 import (
    admin_service_pb2_grpc,
    artifact_service_pb2_grpc,
    event_service_pb2_grpc,
    fleet_service_pb2_grpc,
    inspection_service_pb2_grpc,
    log_service_pb2_grpc,
    run_service_pb2_grpc,
)
from crossfleet.api.worker.v1 import worker_service_pb2_grpc
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.uploads import Uploads
from crossfleet.coordinator.commits import committing, learning, recording
from crossfleet.coordinator.config import Settings, weights
from crossfleet.coordinator.convert import executing as executing_events
from crossfleet.coordinator.core.usage import Usage
from crossfleet.coordinator.estimates import Estimates
from crossfleet.coordinator.events.announcer import Announcer
from crossfleet.coordinator.events.feed import EventFeed
from crossfleet.coordinator.events.fullness import Fullness
from crossfleet.coordinator.events.known import Known
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.writer import Committed, LedgerWriter
from crossfleet.coordinator.logs.store import LogStore
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.observing import Observer, observer
from crossfleet.coordinator.passing import pass_time
from crossfleet.coordinator.retention import drop_old_events
from crossfleet.coordinator.scheduling.link import SchedulerLink
from crossfleet.coordinator.servicers.admin import AdminServicer
from crossfleet.coordinator.servicers.artifacts import ArtifactServicer
from crossfleet.coordinator.servicers.events import EventServicer
from crossfleet.coordinator.servicers.fleet import FleetServicer, Identity
from crossfleet.coordinator.servicers.inspection import InspectionServicer
from crossfleet.coordinator.servicers.logs import LogServicer
from crossfleet.coordinator.servicers.runs import RunServicer
from crossfleet.coordinator.servicers.submitting import Submitting
from crossfleet.coordinator.servicers.worker import WorkerServicer
from crossfleet.coordinator.sessions.fleet import FleetSessions
from crossfleet.coordinator.sessions.leases import Leases
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.ids import IdSource, RandomIds
from crossfleet.foundation.logs import get_logger


@dataclass(slots=True)
class Coordinator:
    """The parts that run, and the servicers in front of them."""

    settings: Settings
    folder: Path
    blobs: BlobStore
    estimates: Estimates
    writer: LedgerWriter
    epoch: int
    version: str
    clock: Clock
    draining: Draining
    lookup: Lookup
    announcer: Announcer
    feed: EventFeed
    sessions: FleetSessions
    link: SchedulerLink
    ids: IdSource
    observer: Observer
    sources: Mapping[str, str]
    address: str = ""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def committed(self, batch: Committed) -> None:
        """Called by the writer right after each commit: workers first, they wait for work; then people, then the scheduler."""
        state = self.writer.state
        try:
            self.sessions.committed(state, batch.events)
            self.feed.committed(batch)
            self.link.committed(state, batch.events)
            self.observer.committed(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody was not told of a fact: a restart tells all
            get_logger().error("a commit could not be passed on", seq=batch.seq, exc_info=error)
            self.draining.begin("a commit could not be passed on")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the ledger and the clock inside the block."""
        unsubscribe = self.writer.subscribe(self.committed)
        self.writer.foresee(self.link.foreseen)
        self._start(self.link.run())
        self._start(self.feed.run())
        self._start(self.sessions.watch_leases())
        self._start(pass_time(self.writer, self.lookup.commit, self.clock))
        self._start(drop_old_events(self.writer, self.settings.event_commits, self.clock))
        try:
            yield
        finally:
            unsubscribe()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that fails leaves a coordinator that only seems to work: better a restart."""
        if not task.cancelled() and task.exception() is not None:
            get_logger().error("a part of the coordinator failed", exc_info=task.exception())
            self.draining.begin("a part of the coordinator failed")

    async def drain(self) -> None:
        """Ends the streams of workers; they keep what they have and come back to the next coordinator."""
        self.sessions.close()

    def servicers(self) -> list[tuple[Any, Any]]:
        """What is served, each with the function that adds it."""
        blobs = self.blobs
        uploads = Uploads(blobs, self.folder / "uploads", self.settings.blob_bytes)
        log_store = LogStore(self.folder / "logs" / "runs", slot_cap_bytes=self.settings.slot_log_bytes)
        figures = self.link.figures
        embedded = self.settings.embedded
        submitting = Submitting(
            self.lookup, blobs, self.estimates, self.feed, self.ids, figures, self.draining, embedded=embedded
        )
        identity = Identity(self.version, self.epoch, lambda: self.address, embedded)
        executing = partial(executing_events.of_run, self.clock, self.sessions.lasting)
        fullness = Fullness(self.folder, lambda: self.writer.full_seconds, self.settings.disk_full_seconds)
        events = EventServicer(self.feed, self.announcer, self.lookup, executing, self.draining, fullness)
        return [
            (
                run_service_pb2_grpc.add_RunServiceServicer_to_server,
                RunServicer(self.lookup, submitting, learning(self.writer)),
            ),
            (
                fleet_service_pb2_grpc.add_FleetServiceServicer_to_server,
                FleetServicer(self.lookup, identity, figures, lambda: self.writer.cursor[0], self.sessions.heard_at),
            ),
            (event_service_pb2_grpc.add_EventServiceServicer_to_server, events),
            (
                artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server,
                ArtifactServicer(blobs, uploads, self.lookup, self.draining),
            ),
            (
                inspection_service_pb2_grpc.add_InspectionServiceServicer_to_server,
                InspectionServicer(self.lookup, self.sessions.inquiries),
            ),
            (log_service_pb2_grpc.add_LogServiceServicer_to_server, LogServicer(log_store, self.lookup, self.draining)),
            (
                admin_service_pb2_grpc.add_AdminServiceServicer_to_server,
                AdminServicer(self.settings, self.sources, figures),
            ),
            (
                worker_service_pb2_grpc.add_WorkerServiceServicer_to_server,
                WorkerServicer(self.sessions, self.observer),
            ),
        ]


def assemble(
    settings: Settings,
    folder: Path,
    writer: LedgerWriter,
    queries: Queries,
    epoch: int,
    draining: Draining,
    clock: Clock,
    version: str,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> Coordinator:
    """A coordinator around a started writer; nothing of it runs yet. `sources`: where settings come from, by name."""
    ids = RandomIds(clock)
    commit = committing(writer)
    blobs = BlobStore(folder / "blobs")
    estimates = Estimates(queries, blobs)

    lookup = Lookup(queries, lambda: writer.state, commit)
    announcer = Announcer(Known(queries, lambda: writer.state), lookup)
    sessions = FleetSessions(
        commit=commit,
        record=recording(writer, estimates, commit),
        epoch=epoch,
        leases=Leases(settings.lease_seconds),
        clock=clock,
        ids=ids,
        state=writer.state,
    )
    feed = EventFeed(announcer, writer.cursor, settings.watcher_events)
    sessions.lasting.told = lambda *told: feed.show(executing_events.event(clock, *told))
    link = SchedulerLink(
        settings.scheduler,
        settings.scheduler_token_file,
        lambda: writer.state,
        commit,
        clock,
        settings.unconnected_notice_seconds,
        Usage(settings.share_half_life_seconds, weights(settings.project_weights)),
    )
    return Coordinator(
        settings=settings,
        folder=folder,
        blobs=blobs,
        estimates=estimates,
        writer=writer,
        epoch=epoch,
        version=version,
        clock=clock,
        draining=draining,
        lookup=lookup,
        announcer=announcer,
        feed=feed,
        sessions=sessions,
        link=link,
        ids=ids,
        observer=observer(settings.server.metrics, sessions, writer),
        sources=sources,
    )
