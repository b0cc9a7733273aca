"""Whether a coordinator leads, as its health says."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

LEADER = "crossfleet.leader"
"""The name that a coordinator's health serves while it leads, and only then."""


async def leads(channel: grpc.aio.Channel, seconds: float) -> bool:
    """Whether the coordinator of this channel says so within that time; one that does not know the name leads always.

    It raises nothing.
    """
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=LEADER), timeout=seconds)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.NOT_FOUND
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
