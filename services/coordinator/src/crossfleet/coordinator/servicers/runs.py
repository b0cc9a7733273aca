"""RunService: submit, look, cancel."""

from __future__ import annotations

from typing import Any

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.coordinator.v1 import run_service_pb2_grpc as run_grpc
from crossfleet.coordinator.convert import runs
from crossfleet.coordinator.core.commands import StopRun
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.prospects import Prospects
from crossfleet.coordinator.servicers.case_history import list_case_history
from crossfleet.coordinator.servicers.durations import Learn, import_durations, list_durations
from crossfleet.coordinator.servicers.estimating import estimate_run
from crossfleet.coordinator.servicers.explaining import explain_run
from crossfleet.coordinator.servicers.pages import decode, encode, fitting, page_size
from crossfleet.coordinator.servicers.submitting import Submitting
from crossfleet.foundation.errors import FieldViolation, InvalidArgument

Context = Any


class RunReads(run_grpc.RunServiceServicer):
    """What is committed, read from SQL."""

    def __init__(self, lookup: Lookup) -> None:
        """Asks `lookup`."""
        self._lookup = lookup

    async def GetRun(self, request: run_service.GetRunRequest, context: Context) -> run_service.GetRunResponse:
        """One run. Raises RunNotFound."""
        run = await self._lookup.run(request.run_id)
        cost = await self._lookup.queries.cost(request.run_id)
        if cost is not None:
            run.cost = cost
        return run_service.GetRunResponse(run=run)

    async def ListRuns(self, request: run_service.ListRunsRequest, context: Context) -> run_service.ListRunsResponse:
        """Runs, newest first. Raises PageTokenInvalid, InvalidArgument."""
        size = page_size(request.page_size, 50, 1000)
        states = sorted(request.states)
        before = decode(request.page_token, (float, str), "runs", request.project, states)
        rows = await self._lookup.queries.runs(
            project=request.project, states=tuple(states), limit=size + 1, before=tuple(before) if before else None
        )
        found = [await self._lookup.message(row) for row in rows[:size]]
        count = fitting(found)
        last = rows[count - 1] if len(rows) > count else None
        token = encode([float(last.created_at), last.run_id], "runs", request.project, states) if last else ""
        return run_service.ListRunsResponse(runs=found[:count], next_page_token=token)

    async def ListCases(self, request: run_service.ListCasesRequest, context: Context) -> run_service.ListCasesResponse:
        """Cases by target and index. Raises RunNotFound, TargetNotFound, PageTokenInvalid, InvalidArgument."""
        whole = request.full_results or request.with_properties
        most = 500 if request.with_properties else 200 if request.full_results else 10_000
        size = page_size(request.page_size, min(most, 1000), most)
        outcomes = sorted(request.outcomes)
        key = ("cases", request.run_id, request.target, outcomes, request.full_results, request.with_properties)
        after = decode(request.page_token, (int, int), *key)
        await self._lookup.row(request.run_id)
        if request.target:
            await self._lookup.target(request.run_id, request.target)
        rows = await self._lookup.queries.cases(
            request.run_id,
            target=request.target,
            outcomes=tuple(outcomes),
            after=tuple(after) if after else None,
            limit=size + 1,
            payloads=whole,
        )
        found = [runs.case(row) for row in rows[:size]]
        count = fitting(found)
        token = encode([rows[count - 1].position, rows[count - 1].case_index], *key) if len(rows) > count else ""
        shown = (one for one in found[:count] if one.result.properties or not request.with_properties)
        return run_service.ListCasesResponse(cases=shown, next_page_token=token)

    async def GetCase(self, request: run_service.GetCaseRequest, context: Context) -> run_service.GetCaseResponse:
        """One case with its full result. Raises RunNotFound, TargetNotFound, CaseNotFound, InvalidArgument."""
        row = await self._lookup.case(request.run_id, request.target, request.case_id)
        return run_service.GetCaseResponse(case=runs.case(row))

    async def ListAttempts(
        self, request: run_service.ListAttemptsRequest, context: Context
    ) -> run_service.ListAttemptsResponse:
        """Attempts by id. Raises RunNotFound, PageTokenInvalid."""
        size = page_size(request.page_size, 1000, 10_000)
        after = (decode(request.page_token, (int,), "attempts", request.run_id) or [0])[0]
        await self._lookup.row(request.run_id)
        rows = await self._lookup.queries.attempts(request.run_id, after=after, limit=size + 1)
        token = encode([rows[size - 1].attempt_id], "attempts", request.run_id) if len(rows) > size else ""
        return run_service.ListAttemptsResponse(
            attempts=[runs.attempt(row) for row in rows[:size]], next_page_token=token
        )

    async def ListCaseHistory(
        self, request: run_service.ListCaseHistoryRequest, context: Context
    ) -> run_service.ListCaseHistoryResponse:
        """What became of cases over the last runs. Raises InvalidArgument, PageTokenInvalid."""
        return await list_case_history(request, self._lookup.queries)

    async def ListExecutions(
        self, request: run_service.ListExecutionsRequest, context: Context
    ) -> run_service.ListExecutionsResponse:
        """What a case's process executed up to it. Raises as GetCase, and PageTokenInvalid."""
        size = page_size(request.page_size, 1000, 10_000)
        key = ("executions", request.run_id, request.target, request.case_id)
        (after,) = decode(request.page_token, (int,), *key) or (0,)
        verdict = await self._lookup.case(request.run_id, request.target, request.case_id)
        case = await self._lookup.queries.failure_of(verdict)
        process = await self._lookup.queries.process_of(case)
        if process is None:
            return run_service.ListExecutionsResponse()
        rows = await self._lookup.queries.executions(process, case.place, after, size + 1)
        found = [runs.case(row) for row in rows[:size]]
        count = fitting(found)
        token = encode([rows[count - 1].place], *key) if len(rows) > count else ""
        return run_service.ListExecutionsResponse(
            executions=found[:count], next_page_token=token, process=runs.slot_process(process)
        )

    async def ListDurations(
        self, request: run_service.ListDurationsRequest, context: Context
    ) -> run_service.ListDurationsResponse:
        """What is known of a suite. Raises InvalidArgument, PageTokenInvalid."""
        return await list_durations(self._lookup.queries, request)


class RunServicer(RunReads):
    """All of the service; writes go through the one writer."""

    def __init__(self, lookup: Lookup, submitting: Submitting, learn: Learn, prospects: Prospects) -> None:
        """`submitting` checks and commits new runs, `learn` takes durations into the model, `prospects` foresees."""
        super().__init__(lookup)
        self._prospects = prospects
        self._learn = learn
        self._submitting = submitting

    async def SubmitRun(self, request: run_service.SubmitRunRequest, context: Context) -> run_service.SubmitRunResponse:
        """Commits a run; the same request again answers the same run. Raises what the checks of Submitting raise."""
        return await self._submitting.submit(request)

    async def CancelRun(self, request: run_service.CancelRunRequest, context: Context) -> run_service.CancelRunResponse:
        """Stops a run; a finished one stays as it is. Raises RunNotFound, InvalidArgument."""
        if len(request.reason.encode()) > 200:
            raise InvalidArgument("the reason is too long", fields=[FieldViolation("reason", "at most 200 bytes")])
        await self._lookup.commit(StopRun(request.run_id, request.reason or "cancelled"))
        return run_service.CancelRunResponse(run=await self._lookup.run(request.run_id))

    async def ExplainRun(
        self, request: run_service.ExplainRunRequest, context: Context
    ) -> run_service.ExplainRunResponse:
        """Why each target waits. Raises RunNotFound."""
        return await explain_run(await self._lookup.run(request.run_id), self._prospects)

    async def EstimateRun(
        self, request: run_service.EstimateRunRequest, context: Context
    ) -> run_service.EstimateRunResponse:
        """When a run would begin and end. Raises InvalidArgument, SelectorInvalid."""
        return await estimate_run(request, self._lookup, self._prospects)

    async def ImportDurations(
        self, request: run_service.ImportDurationsRequest, context: Context
    ) -> run_service.ImportDurationsResponse:
        """Durable on return. Raises InvalidArgument."""
        return await import_durations(self._learn, request)
