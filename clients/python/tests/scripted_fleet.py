"""A coordinator's public services in the test's own loop: what it answers is what the test puts in."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1 import (
    artifact_service_pb2,
    artifact_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    log_service_pb2,
    log_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
)
from crossfleet.api.types.v1 import device_pb2, result_pb2, run_pb2
from crossfleet.foundation.errors import (
    DigestMismatch,
    IdempotencyConflict,
    RunNotFound,
    Unavailable,
    UploadOffsetMismatch,
)
from crossfleet.foundation.serve import ServiceDefinition

Outcomes = dict[str, "result_pb2.Outcome.ValueType"]


@dataclass
class Script:
    """What the fleet does. `break_stream_after`: events after which each of the first streams breaks."""

    outcomes: Outcomes = field(default_factory=dict)
    break_stream_after: list[int] = field(default_factory=list)
    break_upload_after: list[int] = field(default_factory=list)
    end_logs_after: list[int] = field(default_factory=list)
    unavailable_answers: int = 0
    page: int = 2
    hold: bool = False
    cancel_hangs: bool = False
    gpus: int = 0
    estimate: run_service_pb2.EstimateRunResponse = field(default_factory=run_service_pb2.EstimateRunResponse)
    explained: list[run_service_pb2.TargetExplanation] = field(default_factory=list)


class Runs(run_service_pb2_grpc.RunServiceServicer):
    """Finishes each run at once, with the outcomes of the script, unless it is held."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.by_request: dict[str, run_pb2.Run] = {}
        self.cancelled: list[str] = []
        self.estimated: list[run_pb2.RunSpec] = []

    async def SubmitRun(self, request, context):
        known = self.by_request.get(request.request_id)
        if known is not None and known.spec != request.spec:
            raise IdempotencyConflict("used before", request_id=request.request_id)
        if known is None:
            known = run_pb2.Run(run_id=f"run-{len(self.by_request) + 1}", spec=request.spec)
            known.targets.extend(run_pb2.TargetStatus(name=target.name) for target in request.spec.targets)
            known.created_at.CopyFrom(Timestamp(seconds=1_790_000_000))
            if request.spec.policy.HasField("deadline_in"):
                known.deadline.seconds = int(time.time()) + request.spec.policy.deadline_in.seconds
            self.by_request[request.request_id] = known
        if self.script.unavailable_answers:
            self.script.unavailable_answers -= 1
            raise Unavailable("committed, and the answer was lost")
        return run_service_pb2.SubmitRunResponse(run=known, event_cursor="c0")

    async def EstimateRun(self, request, context):
        self.estimated.append(request.spec)
        return self.script.estimate

    async def ExplainRun(self, request, context):
        return run_service_pb2.ExplainRunResponse(targets=self.script.explained)

    def run(self, run_id: str) -> run_pb2.Run:
        for run in self.by_request.values():
            if run.run_id == run_id:
                return run
        raise RunNotFound(f"no run {run_id}", run=run_id)

    async def GetRun(self, request, context):
        return run_service_pb2.GetRunResponse(run=self.run(request.run_id))

    async def CancelRun(self, request, context):
        self.cancelled.append(request.run_id)
        while self.script.cancel_hangs:
            await asyncio.sleep(0)
        run = self.run(request.run_id)
        run.state, run.verdict, run.cause = run_pb2.RUN_STATE_FINISHED, run_pb2.RUN_VERDICT_CANCELLED, request.reason
        self.script.hold = False
        return run_service_pb2.CancelRunResponse(run=run)

    def records(self, run: run_pb2.Run) -> list[result_pb2.CaseRecord]:
        return [
            result_pb2.CaseRecord(
                target=target.name,
                case_index=index,
                case_id=case_id,
                outcome=outcome,
                seconds=0.1 * (index + 1),
                message="" if outcome == result_pb2.OUTCOME_PASSED else f"message of {case_id}",
                worker_id="w1",
            )
            for target in run.targets
            for index, (case_id, outcome) in enumerate(self.script.outcomes.items())
        ]

    async def ListCases(self, request, context):
        wanted = [
            record
            for record in self.records(self.run(request.run_id))
            if not request.outcomes or record.outcome in request.outcomes
        ]
        start = int(request.page_token or 0)
        for record in wanted if request.full_results else ():
            record.result.details = f"Traceback of {record.case_id}\nE   assert 1 == 2".encode()
            record.result.sections.add(title="Captured stdout call", content=b"printed \xff bytes\n")
        after = start + self.script.page
        return run_service_pb2.ListCasesResponse(
            cases=[] if request.with_properties else wanted[start:after],
            next_page_token=str(after) if after < len(wanted) else "",
        )


class Events(event_service_pb2_grpc.EventServiceServicer):
    """The events of a run, one a message, resumable; streams break where the script says so."""

    def __init__(self, script: Script, runs: Runs) -> None:
        self.script = script
        self.runs = runs
        self.asked_after: list[str] = []

    async def WatchEvents(self, request, context) -> AsyncIterator[event_service_pb2.WatchEventsResponse]:
        self.asked_after.append(request.after)
        while self.script.hold:
            await asyncio.sleep(0)
        events = self.story(self.runs.run(request.run_id))
        cursors = [event.cursor for event in events]
        start = cursors.index(request.after) + 1 if request.after in cursors else 0
        breaks = self.script.break_stream_after.pop(0) if self.script.break_stream_after else None
        for number, event in enumerate(events[start:]):
            if number == breaks:
                raise Unavailable("the stream broke")
            yield event_service_pb2.WatchEventsResponse(events=[event])

    def story(self, run: run_pb2.Run) -> list[event_service_pb2.Event]:
        facts: list[dict[str, Any]] = []
        records = self.runs.records(run)
        for target in run.targets:
            mine = [record for record in records if record.target == target.name]
            facts.append({"cases_collected": {"target": target.name, "cases": len(mine)}})
            facts += [{"cases_finished": {"target": target.name, "cases": [record]}} for record in mine]
            target.counts.CopyFrom(counts(mine))
            if not mine:
                target.ending = result_pb2.SUITE_ENDING_NO_CASES
            facts.append({"target_finished": {"target": target}})
        run.counts.CopyFrom(counts(records))
        run.state = run_pb2.RUN_STATE_FINISHED
        if run.verdict == run_pb2.RUN_VERDICT_UNSPECIFIED:
            good = run.counts.passed + run.counts.skipped == run.counts.total
            run.verdict = run_pb2.RUN_VERDICT_PASSED if good else run_pb2.RUN_VERDICT_FAILED
        run.finished_at.CopyFrom(Timestamp(seconds=1_790_000_012))
        facts.append({"run_finished": {"run": run}})
        return [
            event_service_pb2.Event(cursor=f"c{number}", at=Timestamp(seconds=1_790_000_000 + number), **fact)
            for number, fact in enumerate(facts, 1)
        ]


def counts(records: list[result_pb2.CaseRecord]) -> result_pb2.Counts:
    """Cases by outcome."""
    found = result_pb2.Counts(total=len(records))
    names = {"failed": "failed", "error": "errors", "not_run": "not_run"}
    for record in records:
        word = result_pb2.Outcome.Name(record.outcome).removeprefix("OUTCOME_").lower()
        setattr(found, names.get(word, word), getattr(found, names.get(word, word)) + 1)
    return found


class Blobs(artifact_service_pb2_grpc.ArtifactServiceServicer):
    """Stores blobs, checks digests and offsets; uploads break where the script says so."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.stored: dict[str, bytes] = {}
        self.partial: dict[str, bytes] = {}
        self.received = 0

    async def FindMissingBlobs(self, request, context):
        return artifact_service_pb2.FindMissingBlobsResponse(
            missing=[digest for digest in request.digests if digest not in self.stored]
        )

    async def GetUpload(self, request, context):
        complete = request.digest in self.stored
        arrived = len(self.partial.get(request.digest, b""))
        return artifact_service_pb2.GetUploadResponse(committed_bytes=arrived, complete=complete)

    async def UploadBlob(self, request_iterator, context):
        digest, total, blobs = "", 0, 0
        breaks = self.script.break_upload_after.pop(0) if self.script.break_upload_after else None
        messages = 0
        async for message in request_iterator:
            if messages == breaks:
                raise Unavailable("the upload broke")
            messages += 1
            if message.digest:
                digest, total = message.digest, message.size_bytes
            arrived = self.partial.get(digest, b"")
            if message.offset != len(arrived):
                raise UploadOffsetMismatch("wrong offset", offset=len(arrived))
            self.received += len(message.content)
            self.partial[digest] = arrived + message.content
            if len(self.partial[digest]) == total:
                content = self.partial.pop(digest)
                if hashlib.sha256(content).hexdigest() != digest:
                    raise DigestMismatch("wrong bytes", expected=digest)
                self.stored[digest] = content
                blobs += 1
        return artifact_service_pb2.UploadBlobResponse(blobs=blobs, received_bytes=self.received)

    async def DownloadBlob(self, request, context):
        yield artifact_service_pb2.DownloadBlobResponse(content=self.stored[request.digest])

    async def ListArtifacts(self, request, context):
        return artifact_service_pb2.ListArtifactsResponse()


class Fleet(fleet_service_pb2_grpc.FleetServiceServicer):
    """Two workers, one that has left, and local paths are taken. The first has the GPUs of the script, and one that is broken."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def GetFleet(self, request, context):
        return fleet_service_pb2.GetFleetResponse(version="0.1.0", slots=2, accepts_local_paths=True)

    async def ListWorkers(self, request, context):
        first = not request.page_token
        status = fleet_service_pb2.WorkerStatus()
        status.worker.worker_id = "w1" if first else "w2"
        status.worker.labels["zone"] = "eu"
        if first:
            for number in range(self.script.gpus + 1):
                broken = () if number else ("unhealthy",)
                status.worker.devices.add(device_id=f"gpu-{number}", device_class="gpu", conditions=broken)
            return fleet_service_pb2.ListWorkersResponse(workers=[status], next_page_token="2")
        pilot = fleet_service_pb2.WorkerStatus(has_left=True)
        pilot.worker.worker_id, pilot.worker.state = "w3", device_pb2.WORKER_STATE_LOST
        pilot.gone_at.FromSeconds(1_000_000_000)
        return fleet_service_pb2.ListWorkersResponse(workers=[status, pilot])


class Logs(log_service_pb2_grpc.LogServiceServicer):
    """Five pieces of output of one slot, two of them at once; streams end where the script says so, as one that drains does."""

    def __init__(self, script: Script, runs: Runs) -> None:
        self.script = script
        self.runs = runs

    async def ReadLogs(self, request, context) -> AsyncIterator[log_service_pb2.ReadLogsResponse]:
        ends = self.script.end_logs_after.pop(0) if self.script.end_logs_after else 5
        for number, at in list(enumerate((1.0, 2.0, 2.0, 1.5, 3.0)))[:ends]:
            chunk = log_service_pb2.LogChunk(slot=0, content=b"%d" % number, unix_seconds=at)
            yield log_service_pb2.ReadLogsResponse(chunks=[chunk])
        if ends == 5:
            self.runs.run(request.run_id).state = run_pb2.RUN_STATE_FINISHED


class ScriptedFleet:
    """All services together; `definition` is what a server serves."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.runs = Runs(self.script)  # type: ignore[abstract]
        self.events = Events(self.script, self.runs)
        self.blobs = Blobs(self.script)  # type: ignore[abstract]
        self.fleet = Fleet(self.script)  # type: ignore[abstract]
        self.logs = Logs(self.script, self.runs)  # type: ignore[abstract]
        self.definition = ServiceDefinition(
            name="coordinator",
            servicers=[
                (run_service_pb2_grpc.add_RunServiceServicer_to_server, self.runs),
                (event_service_pb2_grpc.add_EventServiceServicer_to_server, self.events),
                (artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server, self.blobs),
                (fleet_service_pb2_grpc.add_FleetServiceServicer_to_server, self.fleet),
                (log_service_pb2_grpc.add_LogServiceServicer_to_server, self.logs),
            ],
        )
