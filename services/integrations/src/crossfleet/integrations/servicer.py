"""DeliveryService: part of the contract, not served yet, and says so."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc.aio

from crossfleet.api.integrations.v1 import delivery_service_pb2 as pb
from crossfleet.api.integrations.v1.delivery_service_pb2_grpc import DeliveryServiceServicer
from crossfleet.foundation.errors import Unimplemented

Context = grpc.aio.ServicerContext[Any, Any]


class DeliveryServicer(DeliveryServiceServicer):
    """Answers UNIMPLEMENTED with a reason: this version of the gateway has no connectors."""

    async def ListConnectors(self, request: pb.ListConnectorsRequest, context: Context) -> NoReturn:
        raise _unserved("ListConnectors")

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> NoReturn:
        raise _unserved("ListDeliveries")

    async def ReplayDelivery(self, request: pb.ReplayDeliveryRequest, context: Context) -> NoReturn:
        raise _unserved("ReplayDelivery")


def _unserved(method: str) -> Unimplemented:
    return Unimplemented("this version of the gateway has no connectors and so no deliveries", method=method)
