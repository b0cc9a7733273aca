"""A run is asked for: checks that need more than the message, then one command."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from crossfleet.api.coordinator.v1.run_service_pb2 import SubmitRunRequest, SubmitRunResponse
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.durations import check_durations
from crossfleet.coordinator.artifacts.manifests import check_manifest
from crossfleet.coordinator.convert import runs
from crossfleet.coordinator.convert.fleet import request_message
from crossfleet.coordinator.convert.submission import submission
from crossfleet.coordinator.convert.understood import check_understood
from crossfleet.coordinator.core.answers import RunAnswer
from crossfleet.coordinator.core.commands import SubmitRun
from crossfleet.coordinator.core.quoting import quoted
from crossfleet.coordinator.core.seeds import Seeds
from crossfleet.coordinator.estimates import Estimates
from crossfleet.coordinator.events import cursors
from crossfleet.coordinator.events.feed import EventFeed
from crossfleet.coordinator.ledger.observing import device_class, duration_key, kindred_keys
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.scheduling.schedulers import Schedulers
from crossfleet.coordinator.servicers.slips import refuse_slips
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import (
    Draining as DrainingError,
)
from crossfleet.foundation.errors import (
    FieldViolation,
    InvalidArgument,
    LocalPathRefused,
    SchedulerNotFound,
    WorkspaceNotFound,
)
from crossfleet.foundation.ids import IdSource
from crossfleet.foundation.telemetry import current_traceparent
from crossfleet.matching.messages import device_request_message


class Submitting:
    """Refuses what cannot work before anything is committed."""

    def __init__(
        self,
        lookup: Lookup,
        blobs: BlobStore,
        estimates: Estimates,
        feed: EventFeed,
        ids: IdSource,
        schedulers: Schedulers,
        draining: Draining,
        clock: Clock,
        *,
        embedded: bool,
    ) -> None:
        """`embedded`: the fleet is this machine, so paths on it may be named."""
        self._lookup = lookup
        self._blobs = blobs
        self._estimates = estimates
        self._feed = feed
        self._ids = ids
        self._schedulers = schedulers
        self._draining = draining
        self._clock = clock
        self._embedded = embedded
        self._seeds = Seeds()

    async def submit(self, request: SubmitRunRequest) -> SubmitRunResponse:
        """Commits a run, or finds the one of an earlier call.

        Raises InvalidArgument, SelectorInvalid, LocalPathRefused, WorkspaceNotFound, BlobsMissing, ManifestInvalid,
        SchedulerNotFound, TargetUnsatisfiable, Unimplemented, IdempotencyConflict, Draining.
        """
        self._refuse_draining()
        command = await self.prepare(request.request_id, request.spec)
        await refuse_slips(command, self._lookup.state, self._clock, self._draining, embedded=self._embedded)
        self._refuse_draining()
        answer: RunAnswer = await self._lookup.commit(command)
        first = self._feed.submitted(answer.run_id) if answer.changed else None
        if first is not None:
            position, fact = first
            run = runs.submitted(fact, len(command.cases))
            return SubmitRunResponse(run=run, event_cursor=cursors.text(position))
        row = await self._lookup.row(answer.run_id)
        cursor = cursors.text(cursors.end_of(row.cursor_seq))
        return SubmitRunResponse(run=await self._lookup.message(row), event_cursor=cursor)

    def _refuse_draining(self) -> None:
        if self._draining.begun:
            raise DrainingError("the coordinator is going down", service="coordinator", retry_after=1.0)

    async def prepare(self, request_id: str, spec: run_pb2.RunSpec) -> SubmitRun:
        """The command of a submission that can work, to be committed at once. Fills in defaults of `spec`; raises as `submit`."""
        state = self._lookup.state()
        run_id = self._ids.new("run")
        seed = self._seeds.draw(run_id, spec.workspace.local_path)
        traceparent = current_traceparent() or ""
        command = submission(request_id, spec, run_id, state.selectors, traceparent, seed, state.priority_classes)
        if command.request_id not in state.requests:
            check_understood(spec, "spec")
            _rehearse(command)
            await self._check_surroundings(spec)
            command = await self._with_estimates(command)
        return command

    async def _check_surroundings(self, spec: run_pb2.RunSpec) -> None:
        wanted = spec.policy.scheduler
        names = self._schedulers.names() if wanted else []
        if wanted and wanted not in names:
            near = get_close_matches(wanted, names, 1)
            has = f"did you mean {near[0]!r}?" if near else f"this fleet has {', '.join(names)}"
            raise SchedulerNotFound(f"no scheduler {quoted(wanted)}: {has}", scheduler=wanted)
        source = spec.workspace.WhichOneof("source")
        if source == "local_path":
            for suite in (spec.suite, *(target.suite for target in spec.targets if target.HasField("suite"))):
                self._check_folder(spec.workspace.local_path, suite.root)
        elif source == "manifest_digest":
            await check_manifest(self._blobs, spec.workspace.manifest_digest)
        if spec.policy.shard.durations_digest:
            await check_durations(self._blobs, spec.policy.shard.durations_digest)
        for index, target in enumerate(spec.targets):
            if target.environment.WhichOneof("source") == "local_python":
                self._check_python(target.environment.local_python, f"spec.targets[{index}].environment.local_python")

    def _check_folder(self, path: str, root: str) -> None:
        self._refuse_local(path)
        if not Path(path).is_absolute():
            raise InvalidArgument(
                "the workspace is relative", fields=[FieldViolation("spec.workspace.local_path", "an absolute path")]
            )
        for folder in (Path(path), Path(path, root)):
            if not folder.is_dir():
                raise WorkspaceNotFound(f"there is no folder {folder}", workspace=path, path=folder)

    def _check_python(self, path: str, field: str) -> None:
        self._refuse_local(path)
        if not (os.path.isabs(path) and os.access(path, os.X_OK)):
            raise InvalidArgument(
                f"{path} is no interpreter", fields=[FieldViolation(field, "the absolute path of an executable")]
            )

    def _refuse_local(self, path: str) -> None:
        if not self._embedded:
            raise LocalPathRefused(
                f"{path} lies on your machine, the workers on others: upload a manifest, and name requirements",
                path=path,
            )

    async def _with_estimates(self, command: SubmitRun) -> SubmitRun:
        if len(command.cases) < 2:  # one case is not put in any order
            return command
        suite, first = (command.project, command.suite, command.runner), command.targets[0]
        given = await self._estimates.given(command.policy.durations_digest)
        key = duration_key(*suite, device_class(first), first.build)
        kindred = kindred_keys(suite, first, self._lookup.state())
        limits: tuple[float, ...] = ()
        if command.policy.learnt_timeout:
            limits = await self._estimates.time_limits(key, kindred, command.cases)
        estimates = await self._estimates.known(key, kindred, command.cases, given)
        return replace(command, estimates=estimates, limits=limits)


def _rehearse(command: SubmitRun) -> None:
    """Put what schedulers will be told into words once: what cannot be, in the ledger, would end one leader after the other."""
    for target in command.targets:
        request_message(target.request)
        for alternative in target.template.alternatives if target.template is not None else ():
            for device in alternative.devices:
                device_request_message(device)
