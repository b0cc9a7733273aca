"""What runs now, seen from its processes."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import inspection_service_pb2 as wire
from crossfleet.api.coordinator.v1.inspection_service_pb2_grpc import InspectionServiceStub
from crossfleet.client.connection import Connection


class InspectionCalls:
    """The InspectionService of a fleet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = InspectionServiceStub(connection.channel)

    async def cases(
        self,
        run_id: str,
        *,
        target: str = "",
        case_id: str = "",
        stacks: bool = False,
        output: wire.OutputPlaces | None = None,
        most: int = 0,
    ) -> wire.InspectCasesResponse:
        """The cases of a run that are being executed, longest first; with their stacks, or with what they have printed
        behind the places of `output`. At most `most` (0: as many as the fleet thinks fit). Raises the fleet's error."""
        request = wire.InspectCasesRequest(
            run_id=run_id, target=target, case_id=case_id, stacks=stacks, output=output, max_cases=most
        )
        return await self._connection.call(lambda limit: self._stub.InspectCases(request, timeout=limit))
