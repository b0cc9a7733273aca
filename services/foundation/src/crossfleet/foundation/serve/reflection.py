"""Server reflection, under the names of v1 and of v1alpha."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Any

import grpc

from crossfleet.foundation.draining import Draining

V1 = "grpc.reflection.v1.ServerReflection"
V1_ALPHA = "grpc.reflection.v1alpha.ServerReflection"


class LateReflection:
    """Answers reflection; grpc_reflection and its descriptors are imported at the first question.

    The messages of v1 and v1alpha are the same on the wire, and grpcio-reflection has those of v1alpha only: one
    servicer answers both names.
    """

    def __init__(self, services: Sequence[str], draining: Draining) -> None:
        self._services = (*services, V1, V1_ALPHA)
        self._draining = draining
        self._servicer: Any = None

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers both names with a server."""
        method = grpc.stream_stream_rpc_method_handler(self._answer, _decode, _encode)
        for name in (V1, V1_ALPHA):
            handlers = {"ServerReflectionInfo": method}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))

    async def _answer(
        self, requests: AsyncIterable[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        if self._servicer is None:
            from grpc_reflection.v1alpha._async import ReflectionServicer

            self._servicer = ReflectionServicer(self._services)
        async for answer in self._servicer.ServerReflectionInfo(self._draining.until(requests), context):
            yield answer


def _decode(data: bytes) -> Any:
    from grpc_reflection.v1alpha import reflection_pb2

    return reflection_pb2.ServerReflectionRequest.FromString(data)


def _encode(message: Any) -> bytes:
    return bytes(message.SerializeToString())
