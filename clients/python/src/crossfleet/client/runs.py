"""Calls about runs and their cases."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence

from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.client.connection import Connection
from crossfleet.client.paging import all_items


class RunCalls:
    """The RunService of a fleet. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = RunServiceStub(connection.channel)

    async def submit(self, spec: run_pb2.RunSpec, *, request_id: str | None = None) -> wire.SubmitRunResponse:
        """Commits a run. The request id makes a repeated submission answer the first run; by default a new UUID."""
        request = wire.SubmitRunRequest(request_id=request_id or str(uuid.uuid4()), spec=spec)
        return await self._connection.call(lambda limit: self._stub.SubmitRun(request, timeout=limit))

    async def get(self, run_id: str) -> run_pb2.Run:
        """One run as of the last commit."""
        request = wire.GetRunRequest(run_id=run_id)
        return (await self._connection.call(lambda limit: self._stub.GetRun(request, timeout=limit))).run

    async def cancel(self, run_id: str, reason: str = "") -> run_pb2.Run:
        """Stops a run; a finished one stays as it is."""
        request = wire.CancelRunRequest(run_id=run_id, reason=reason)
        return (await self._connection.call(lambda limit: self._stub.CancelRun(request, timeout=limit))).run

    async def explain(self, run_id: str) -> Sequence[wire.TargetExplanation]:
        """Why each target of a run waits."""
        request = wire.ExplainRunRequest(run_id=run_id)
        answer = await self._connection.call(lambda limit: self._stub.ExplainRun(request, timeout=limit))
        return list(answer.targets)

    async def estimate(self, spec: run_pb2.RunSpec) -> wire.EstimateRunResponse:
        """When a run would begin and end if it were submitted now. Nothing is submitted."""
        request = wire.EstimateRunRequest(spec=spec)
        return await self._connection.call(lambda limit: self._stub.EstimateRun(request, timeout=limit))

    def list(
        self, *, project: str = "", states: Iterable[run_pb2.RunState.ValueType] = (), page_size: int = 50
    ) -> AsyncIterator[run_pb2.Run]:
        """Runs, newest first. Stop iterating to fetch no more pages."""
        wanted = list(states)

        async def fetch(token: str) -> tuple[Iterable[run_pb2.Run], str]:
            request = wire.ListRunsRequest(project=project, states=wanted, page_size=page_size, page_token=token)
            answer = await self._connection.call(lambda limit: self._stub.ListRuns(request, timeout=limit))
            return answer.runs, answer.next_page_token

        return all_items(fetch)

    def cases(
        self,
        run_id: str,
        *,
        target: str = "",
        outcomes: Iterable[result_pb2.Outcome.ValueType] = (),
        full_results: bool = False,
        with_properties: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[result_pb2.CaseRecord]:
        """Cases by target and index; with `full_results` also their tracebacks and captured output.

        `with_properties`: those alone that have properties, with their full results.
        """
        wanted = list(outcomes)

        async def fetch(token: str) -> tuple[Iterable[result_pb2.CaseRecord], str]:
            request = wire.ListCasesRequest(
                run_id=run_id,
                target=target,
                outcomes=wanted,
                page_size=page_size or (500 if with_properties else 100 if full_results else 5000),
                page_token=token,
                full_results=full_results,
                with_properties=with_properties,
            )
            answer = await self._connection.call(lambda limit: self._stub.ListCases(request, timeout=limit))
            return answer.cases, answer.next_page_token

        return all_items(fetch)

    async def case(self, run_id: str, case_id: str, *, target: str = "") -> result_pb2.CaseRecord:
        """One case with its full result. The target may be left out where the run has only one."""
        request = wire.GetCaseRequest(run_id=run_id, target=target, case_id=case_id)
        return (await self._connection.call(lambda limit: self._stub.GetCase(request, timeout=limit))).case

    async def case_history(
        self, request: wire.ListCaseHistoryRequest, most: int
    ) -> tuple[Sequence[wire.CaseHistory], int]:
        """At most so many histories of cases, and the number of runs that were looked at."""
        found: Sequence[wire.CaseHistory] = ()
        page = wire.ListCaseHistoryRequest()
        page.CopyFrom(request)
        while True:
            answer = await self._connection.call(lambda limit: self._stub.ListCaseHistory(page, timeout=limit))
            found = [*found, *answer.cases]
            page.page_token = answer.next_page_token
            if len(found) >= most or not page.page_token:
                return found[:most], answer.runs

    async def executions(
        self, run_id: str, case_id: str, *, target: str = ""
    ) -> tuple[wire.SlotProcess | None, Sequence[result_pb2.CaseRecord]]:
        """The process that executed a case, and what it executed up to and with it, in order. None where none did."""
        found: list[result_pb2.CaseRecord] = []
        process: wire.SlotProcess | None = None
        token = ""
        while True:
            request = wire.ListExecutionsRequest(
                run_id=run_id, target=target, case_id=case_id, page_size=5000, page_token=token
            )
            answer = await self._list_executions(request)
            found += answer.executions
            process = answer.process if answer.HasField("process") else process
            token = answer.next_page_token
            if not token:
                return process, found

    async def _list_executions(self, request: wire.ListExecutionsRequest) -> wire.ListExecutionsResponse:
        return await self._connection.call(lambda limit: self._stub.ListExecutions(request, timeout=limit))

    def attempts(self, run_id: str) -> AsyncIterator[result_pb2.Attempt]:
        """Attempts of a run, by id."""

        async def fetch(token: str) -> tuple[Iterable[result_pb2.Attempt], str]:
            request = wire.ListAttemptsRequest(run_id=run_id, page_token=token)
            answer = await self._connection.call(lambda limit: self._stub.ListAttempts(request, timeout=limit))
            return answer.attempts, answer.next_page_token

        return all_items(fetch)
