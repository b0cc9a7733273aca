"""Calls about how long cases take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.api.types.v1 import suite_pb2
from crossfleet.client.connection import Connection
from crossfleet.client.paging import all_items

_CASES_A_CALL = 10_000


class DurationCalls:
    """What a fleet has learnt of durations. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = RunServiceStub(connection.channel)

    def list(self, history: wire.History) -> AsyncIterator[suite_pb2.CaseDuration]:
        """Medians of the cases of one suite, by id."""

        async def fetch(token: str) -> tuple[Iterable[suite_pb2.CaseDuration], str]:
            request = wire.ListDurationsRequest(history=history, page_size=_CASES_A_CALL, page_token=token)
            answer = await self._connection.call(lambda limit: self._stub.ListDurations(request, timeout=limit))
            return answer.cases, answer.next_page_token

        return all_items(fetch)

    async def teach(self, history: wire.History, seconds: Mapping[str, float]) -> None:
        """Bring durations that were measured elsewhere; each counts as one more execution."""
        cases = durations_message(seconds).cases
        for start in range(0, len(cases), _CASES_A_CALL):
            request = wire.ImportDurationsRequest(history=history, cases=cases[start : start + _CASES_A_CALL])
            await self._connection.call(
                lambda limit, request=request: self._stub.ImportDurations(request, timeout=limit)  # type: ignore[misc]
            )


def durations_message(seconds: Mapping[str, float]) -> suite_pb2.Durations:
    """Seconds by case id as a message: the same for the same seconds, whatever their order."""
    return suite_pb2.Durations(
        cases=[suite_pb2.CaseDuration(case_id=case_id, seconds=seconds[case_id]) for case_id in sorted(seconds)]
    )
