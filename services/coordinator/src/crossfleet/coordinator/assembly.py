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
    schedule_service_pb2_grpc,
)
from crossfleet.api.worker.v1 import worker_service_pb2_grpc
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.place import place_of
from crossfleet.coordinator.artifacts.uploads import Uploads
from crossfleet.coordinator.caring import care_for_hosts, policy_of
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
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.observing import Observer, observer
from crossfleet.coordinator.passing import pass_time
from crossfleet.coordinator.prospects import Prospects
from crossfleet.coordinator.retention.events import drop_old_events
from crossfleet.coordinator.retention.retention import Retention
from crossfleet.coordinator.retention.workers import WorkerRetention
from crossfleet.coordinator.roles.methods import Handlers, handlers_of
from crossfleet.coordinator.schedules.keeping import keep_schedules
from crossfleet.coordinator.scheduling.bulletin import Bulletin, nobody
from crossfleet.coordinator.scheduling.roster import roster
from crossfleet.coordinator.scheduling.schedulers import Schedulers
from crossfleet.coordinator.servicers.artifacts import ArtifactServicer
from crossfleet.coordinator.servicers.events import EventServicer
from crossfleet.coordinator.servicers.fleet import FleetServicer, Identity, Leading
from crossfleet.coordinator.servicers.housekeeping import HousekeepingServicer
from crossfleet.coordinator.servicers.inspection import InspectionServicer
from crossfleet.coordinator.servicers.logs import LogServicer
from crossfleet.coordinator.servicers.runs import RunServicer
from crossfleet.coordinator.servicers.schedules import ScheduleServicer
from crossfleet.coordinator.servicers.submitting import Submitting
from crossfleet.coordinator.servicers.worker import WorkerServicer
from crossfleet.coordinator.sessions.fleet import FleetSessions
from crossfleet.coordinator.sessions.leases import Leases
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.coordinator.succession import notice_successor
from crossfleet.foundation import garbage
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.ids import IdSource, RandomIds
from crossfleet.foundation.logs import get_logger

UPLOADS = "uploads"
"""Folder of part files below the data folder."""


@dataclass(slots=True)
class Coordinator:
    """The parts that run while a coordinator leads, and the servicers in front of them."""

    settings: Settings
    folder: Path
    blobs: BlobStore
    run_logs: RunLogs
    retention: Retention
    estimates: Estimates
    writer: LedgerWriter
    identity: Identity
    clock: Clock
    draining: Draining
    lookup: Lookup
    announcer: Announcer
    feed: EventFeed
    sessions: FleetSessions
    schedulers: Schedulers
    ids: IdSource
    observer: Observer
    sources: Mapping[str, str]
    broken: bool = False
    """Something went wrong that only another process may do better."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def committed(self, batch: Committed) -> None:
        """Called by the writer right after each commit: workers first, they wait for work; then people, then the scheduler."""
        state = self.writer.state
        try:
            self.sessions.committed(state, batch.events)
            self.feed.committed(batch)
            self.schedulers.committed(state, batch.events)
            self.observer.committed(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody was not told of a fact: a restart tells all
            get_logger().error("a commit could not be passed on", seq=batch.seq, exc_info=error)
            self._break("a commit could not be passed on")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the ledger and the clock inside the block."""
        unsubscribe = self.writer.subscribe(self.committed)
        self.writer.foresee(self.schedulers.foreseen)
        self._start(garbage.collect_in_peace(lambda: self.writer.cursor[0]))
        self._start(garbage.collect_young(lambda: self.writer.cursor[0]))
        self._start(self.schedulers.run())
        self._start(self.feed.run())
        self._start(self.sessions.watch_leases())
        self._start(pass_time(self.writer, self.lookup.commit, self.clock))
        self._start(
            keep_schedules(lambda: self.writer.state, self.lookup.commit, self._submitting().prepare, self.clock)
        )
        self._start(self.retention.keep_removing())
        self._start(self.run_logs.keep_sealing(self.clock))
        self._start(care_for_hosts(self.writer, self.lookup.commit, self.clock, policy_of(self.settings)))
        self._start(drop_old_events(self.writer, self.settings.event_commits, self.clock))
        if self.settings.database:
            self._start(notice_successor(self.writer, self.clock))
        try:
            yield
        finally:
            unsubscribe()
            self.observer.ended()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.run_logs.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that fails leaves a coordinator that only seems to work: better a restart."""
        if not task.cancelled() and task.exception() is not None:
            get_logger().error("a part of the coordinator failed", exc_info=task.exception())
            self._break("a part of the coordinator failed")

    def _break(self, cause: str) -> None:
        self.broken = True
        self.draining.begin(cause)

    async def wait_failed(self) -> str:
        """Wait until a part has failed, or the ledger can no longer be written; says why."""
        waits = [asyncio.ensure_future(self.writer.wait_failed()), asyncio.ensure_future(self.draining.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self.writer.failed or self.draining.cause

    def stop_deciding(self, cause: str) -> None:
        """At once: nothing more is committed, answered or assigned."""
        self.writer.depose(cause)

    async def finish(self, *, holding: bool) -> None:
        """Takes no more commands, and commits those that were taken. `holding`: who comes later waits for `stop_deciding`."""
        await self.writer.finish(holding=holding)

    def end_streams(self, cause: str) -> None:
        """Ends all streams; workers keep what they have and come back to the next leader."""
        self.draining.begin(cause)
        self.sessions.close()

    def _backup(self, artifacts: bool, at: float) -> AsyncIterator[bytes]:
        from crossfleet.coordinator.backup.making import backup  # a cold start has no use for it

        included = (self.blobs, self.run_logs) if artifacts else None
        return backup(self.lookup.queries, included, self.identity.version, at)

    def _submitting(self) -> Submitting:
        return Submitting(
            self.lookup,
            self.blobs,
            self.estimates,
            self.feed,
            self.ids,
            self.schedulers,
            self.draining,
            self.clock,
            embedded=self.settings.embedded,
        )

    def handlers(self) -> Handlers:
        """Every method of the servicers."""
        return handlers_of(self.servicers())

    def servicers(self) -> list[tuple[Any, Any]]:
        """What is served, each with the function that adds it."""
        blobs = self.blobs
        uploads = Uploads(blobs, self.folder / UPLOADS, self.settings.blob_bytes)
        schedulers = self.schedulers
        submitting = self._submitting()
        prospects = Prospects(self.lookup.queries, self.lookup.state, self.estimates, schedulers.usage, self.clock.now)
        leading = Leading(self.writer.epoch, self.clock.now())
        executing = partial(executing_events.of_run, self.clock, self.sessions.lasting)
        fullness = Fullness(self.folder, lambda: self.writer.full_seconds, self.settings.disk_full_seconds)
        events = EventServicer(self.feed, self.announcer, self.lookup, executing, self.draining, fullness)
        return [
            (
                run_service_pb2_grpc.add_RunServiceServicer_to_server,
                RunServicer(self.lookup, submitting, learning(self.writer), prospects),
            ),
            (
                fleet_service_pb2_grpc.add_FleetServiceServicer_to_server,
                FleetServicer(
                    self.lookup,
                    self.identity,
                    leading,
                    schedulers.figures,
                    lambda: self.writer.cursor[0],
                    self.sessions.heard_at,
                ),
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
            (
                log_service_pb2_grpc.add_LogServiceServicer_to_server,
                LogServicer(self.run_logs, self.lookup, self.draining),
            ),
            (
                admin_service_pb2_grpc.add_AdminServiceServicer_to_server,
                HousekeepingServicer(
                    self.settings, self.sources, schedulers, self.retention, self._backup, self.clock, self.lookup
                ),
            ),
            (
                schedule_service_pb2_grpc.add_ScheduleServiceServicer_to_server,
                ScheduleServicer(self.lookup, self.clock, self.ids, submitting.prepare),
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
    draining: Draining,
    clock: Clock,
    identity: Identity,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> Coordinator:
    """A coordinator around a started writer; nothing of it runs yet. `sources`: where settings come from, by name.

    `draining` is the end of what leads: of the process, or only of its term.
    """
    ids = RandomIds(clock)
    commit = committing(writer)
    place = place_of(settings.artifacts, folder, settings.artifacts_credentials_file)
    blobs = BlobStore(place)
    run_logs = RunLogs(folder, place, writer.epoch, slot_cap_bytes=settings.slot_log_bytes)
    estimates = Estimates(queries, blobs)

    lookup = Lookup(queries, lambda: writer.state, commit)
    announcer = Announcer(Known(queries, lambda: writer.state), lookup)
    sessions = FleetSessions(
        commit=commit,
        record=recording(writer, estimates, commit),
        epoch=writer.epoch,
        leases=Leases(settings.lease_seconds),
        clock=clock,
        ids=ids,
        state=writer.state,
        awaits=frozenset(settings.awaits),
    )
    feed = EventFeed(announcer, writer.cursor, settings.watcher_events)
    schedulers = _schedulers(settings, writer, commit, clock)
    sessions.lasting.told = lambda *told: feed.show(executing_events.event(clock, *told))
    return Coordinator(
        settings=settings,
        folder=folder,
        blobs=blobs,
        run_logs=run_logs,
        retention=_retention(settings, queries, writer, commit, blobs, run_logs, folder, clock),
        estimates=estimates,
        writer=writer,
        identity=identity,
        clock=clock,
        draining=draining,
        lookup=lookup,
        announcer=announcer,
        feed=feed,
        sessions=sessions,
        schedulers=schedulers,
        ids=ids,
        observer=observer(settings.server.metrics, sessions, writer, schedulers),
        sources=sources,
    )


def _retention(
    settings: Settings,
    queries: Queries,
    writer: LedgerWriter,
    commit: Commit,
    blobs: BlobStore,
    run_logs: RunLogs,
    folder: Path,
    clock: Clock,
) -> Retention:
    workers = WorkerRetention(lambda: writer.state, commit, clock)
    by_ledger = (writer.clean, workers, writer.identify, writer.confirm)
    return Retention(settings.retention, queries, *by_ledger, blobs, run_logs, folder / UPLOADS, clock)


def _schedulers(settings: Settings, writer: LedgerWriter, commit: Commit, clock: Clock) -> Schedulers:
    return Schedulers(
        (settings.scheduler, settings.scheduler_token_file, settings.scheduler_authority),
        roster(settings.schedulers, settings.scheduler),
        lambda: writer.state,
        commit,
        clock,
        settings.unconnected_notice_seconds,
        Usage(settings.share_half_life_seconds, weights(settings.project_weights)),
        Bulletin() if settings.server.lifeline_fd >= 0 else nobody,
    )
