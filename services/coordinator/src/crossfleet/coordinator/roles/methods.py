"""The methods of servicers, by path: what a server is given when they are added to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor import FileDescriptor

from crossfleet.foundation.serve.definition import Servicer

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in the stubs only
Handlers = Mapping[str, Handler]
"""Handlers by path, `/package.Service/Method`."""


class _Collector:
    """Stands in for the server."""

    def __init__(self) -> None:
        self.found: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same again, without the names of the methods."""

    def add_registered_method_handlers(self, service: str, handlers: Handlers) -> None:
        self.found |= {f"/{service}/{name}": handler for name, handler in handlers.items()}


def handlers_of(servicers: Iterable[Servicer]) -> Handlers:
    """The handlers of every method, also of those that a servicer does not implement."""
    collector = _Collector()
    for add, servicer in servicers:
        add(servicer, collector)
    return collector.found


async def answered(handler: Handler, requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
    """The answers of any kind of handler, from bytes to bytes."""
    given: Any = (handler.request_deserializer(one) async for one in requests)  # type: ignore[misc]
    if not handler.request_streaming:
        given = await anext(given)
    behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    encode: Any = handler.response_serializer
    if handler.response_streaming:
        async for answer in behaviour(given, context):
            yield encode(answer)
    else:
        yield encode(await behaviour(given, context))


def only(handlers: Handlers, names: Mapping[str, Collection[str]]) -> Handlers:
    """Those whose service (its last name) and method are in `names`."""
    return {path: handler for path, handler in handlers.items() if _method(path) in names.get(_service(path), ())}


def paths_of(*files: FileDescriptor) -> frozenset[str]:
    """The paths of all methods that proto files define."""
    return frozenset(
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    )


def _service(path: str) -> str:
    return path.rpartition("/")[0].rpartition(".")[2]


def _method(path: str) -> str:
    return path.rpartition("/")[2]
