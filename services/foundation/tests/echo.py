"""A service for tests: health's messages under a name of its own, with handlers that the test gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from crossfleet.foundation.serve import ServiceDefinition

NAME = "crossfleet.test.v1.EchoService"
Request = health_pb2.HealthCheckRequest


def add_echo(servicer: dict[str, Callable[..., Any]], server: Any) -> None:
    """What grpcio-tools generates as add_EchoServiceServicer_to_server, for the kinds that `servicer` has."""
    makers = {
        "Unary": grpc.unary_unary_rpc_method_handler,
        "Down": grpc.unary_stream_rpc_method_handler,
        "Up": grpc.stream_unary_rpc_method_handler,
        "Both": grpc.stream_stream_rpc_method_handler,
    }
    handlers = {
        kind: makers[kind](behaviour, Request.FromString, Request.SerializeToString)
        for kind, behaviour in servicer.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


def echo_definition(**behaviours: Callable[..., Any]) -> ServiceDefinition:
    """A definition whose methods Unary, Down, Up, Both are the given handlers."""
    return ServiceDefinition("echo", [(add_echo, behaviours)])


class EchoStub:
    """The client's side."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        kinds: dict[str, Any] = {
            "request_serializer": Request.SerializeToString,
            "response_deserializer": Request.FromString,
        }
        self.unary: Any = channel.unary_unary(f"/{NAME}/Unary", **kinds)
        self.down: Any = channel.unary_stream(f"/{NAME}/Down", **kinds)
        self.up: Any = channel.stream_unary(f"/{NAME}/Up", **kinds)
        self.both: Any = channel.stream_stream(f"/{NAME}/Both", **kinds)
        self.missing: Any = channel.unary_unary(f"/{NAME}/Missing", **kinds)
