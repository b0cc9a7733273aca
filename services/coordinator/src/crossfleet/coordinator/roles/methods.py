"""The methods of servicers, by path: what a server is given when they are added to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor

from crossfleet.foundation.serve.definition import Servicer

Handlers = Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]
"""Handlers by path, `/package.Service/Method`."""


class _Collector:
    """Stands in for the server."""

    def __init__(self) -> None:
        self.found: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

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
