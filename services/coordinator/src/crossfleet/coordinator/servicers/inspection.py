"""InspectionService: what runs now, seen from the processes that run it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crossfleet.api.coordinator.v1 import inspection_service_pb2 as inspection_pb2
from crossfleet.api.coordinator.v1 import inspection_service_pb2_grpc as inspection_grpc
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.executing.inquiries import Inquiries
from crossfleet.coordinator.executing.lasting import canonical
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.servicers.pages import fitting
from crossfleet.foundation.errors import FieldViolation, InvalidArgument

_DEFAULT_CASES = 16
_MOST_CASES = 100


class InspectionServicer(inspection_grpc.InspectionServiceServicer):
    """Asks first which cases run, then looks closer at those that are wanted."""

    def __init__(self, lookup: Lookup, inquiries: Inquiries) -> None:
        """`lookup` knows runs and live attempts, `inquiries` reaches workers."""
        self._lookup = lookup
        self._inquiries = inquiries

    async def InspectCases(
        self, request: inspection_pb2.InspectCasesRequest, context: Any
    ) -> inspection_pb2.InspectCasesResponse:
        """Cases that run, longest first. Raises RunNotFound, TargetNotFound, InvalidArgument, QueueFull."""
        most = request.max_cases or _DEFAULT_CASES
        if not 0 < most <= _MOST_CASES:
            raise InvalidArgument(
                "max_cases is out of range", fields=[FieldViolation("max_cases", f"from 1 to {_MOST_CASES}")]
            )
        if min(request.output.stdout, request.output.stderr) < 0:
            raise InvalidArgument("a place is negative", fields=[FieldViolation("output", "bytes, from 0")])
        await self._lookup.check(request.run_id)
        if request.target:
            await self._lookup.target(request.run_id, request.target)
        answers, silent = await self._inquiries.ask(_attempts(self._lookup.state(), request))
        cases = self._cases(answers, request)
        response = inspection_pb2.InspectCasesResponse(left_out=max(0, len(cases) - most), silent_worker_ids=silent)
        chosen = cases[:most]
        if chosen and (request.stacks or request.HasField("output")):
            chosen, silent = await self._closer(chosen, request)
            response.silent_worker_ids[:] = sorted({*response.silent_worker_ids, *silent})
        count = fitting(chosen)
        response.cases.extend(chosen[:count])
        response.left_out += len(chosen) - count
        return response

    async def _closer(
        self, cases: Iterable[inspection_pb2.InspectedCase], request: inspection_pb2.InspectCasesRequest
    ) -> tuple[list[inspection_pb2.InspectedCase], list[str]]:
        places = (request.output.stdout, request.output.stderr) if request.HasField("output") else ()
        wanted = {case.attempt_id: case.worker_id for case in cases}
        answers, silent = await self._inquiries.ask(wanted, stacks=request.stacks, places=places)
        return self._cases(answers, request), silent

    def _cases(
        self, answers: Sequence[worker_pb2.Inspected], request: inspection_pb2.InspectCasesRequest
    ) -> list[inspection_pb2.InspectedCase]:
        """Answers about cases that were asked for; an attempt that has ended meanwhile is left out."""
        state = self._lookup.state()
        found = []
        for answer in answers:
            attempt = state.attempts.get(answer.attempt_id)
            case = canonical(state, attempt, answer.case_index) if attempt is not None else None
            if attempt is None or case is None or (request.case_id and case[1] != request.case_id):
                continue
            made = inspection_pb2.InspectedCase(
                target=state.groups[attempt.group_id].target.name,
                case_index=case[0],
                case_id=case[1],
                worker_id=attempt.worker_id,
                slot=attempt.slot,
                attempt_id=attempt.attempt_id,
                seconds=answer.seconds,
                stacks=answer.stacks,
            )
            if len(answer.output) == 2:
                made.stdout, made.stderr = (piece.content for piece in answer.output)
                made.places.stdout, made.places.stderr = (piece.place for piece in answer.output)
            found.append(made)
        return sorted(found, key=lambda one: -one.seconds)


def _attempts(state: State, request: inspection_pb2.InspectCasesRequest) -> dict[int, str]:
    """The live attempts of the run and target that may execute the case, each with its worker."""
    run = state.runs.get(request.run_id)
    groups = [state.groups[group_id] for group_id in run.groups] if run is not None else []
    found = {}
    for group in groups:
        if request.target and group.target.name != request.target:
            continue
        for number in group.attempts:
            attempt = state.attempts[number]
            if not request.case_id or any(group.case_id(index) == request.case_id for index in attempt.pending):
                found[number] = attempt.worker_id
    return found
