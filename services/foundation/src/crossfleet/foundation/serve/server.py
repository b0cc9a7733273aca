"""A grpc.aio server with everything around it that each service needs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from crossfleet.foundation.auth import Anyone, Authenticator, LocalOnly, TokenRequired, ensure_token_file
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors.access import InsecureTransport
from crossfleet.foundation.interceptors.access import AccessLayer
from crossfleet.foundation.interceptors.errors import StatusAborter
from crossfleet.foundation.interceptors.layers import LayeredInterceptor
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.serve import addresses, health
from crossfleet.foundation.serve.definition import ServerSettings, ServiceDefinition
from crossfleet.foundation.serve.observing import Observers
from crossfleet.foundation.serve.reflection import LateReflection
from crossfleet.foundation.tls import server_credentials


class Server:
    """Serves a definition: interceptors, health, reflection, addresses, metrics; drains when told. Starts once."""

    def __init__(
        self, definition: ServiceDefinition, settings: ServerSettings, draining: Draining | None = None
    ) -> None:
        self.definition = definition
        self.draining = draining or Draining()
        self._settings = settings
        self._observers = Observers(settings.metrics)
        self._server: grpc.aio.Server | None = None
        self._sockets: list[addresses.UnixAddress] = []
        self._log = get_logger()

    async def start(self) -> tuple[str, ...]:
        """Binds and serves; returns the real addresses. Raises PortInUse, AddressInvalid, SocketPathTooLong,
        InsecureTransport, CertificateInvalid, ConfigurationInvalid; then nothing is left behind."""
        wanted = [addresses.parse(text) for text in self._settings.listen]
        for address in wanted:
            self._refuse_unsafe(address)
        authenticator = self._authenticator(wanted)
        layers = [*self._observers.layers(), AccessLayer(authenticator), *self.definition.layers]
        server = grpc.aio.server(
            interceptors=[LayeredInterceptor(layers, StatusAborter())],
            options=server_options(self._settings.message_bytes),
            maximum_concurrent_rpcs=self._settings.open_calls,
        )
        names = self._add_servicers(server)
        try:
            bound = tuple(self._bind(server, address) for address in wanted)
            await self._observers.start()
            await server.start()
        except BaseException:
            await server.stop(0)
            await self._observers.stop()
            self._remove_sockets()
            raise
        self._server = server
        self._log.info("serving", addresses=list(bound), services=names, metrics=self.metrics_address)
        return bound

    @property
    def metrics_address(self) -> str:
        """HOST:PORT of /metrics while serving; empty without metrics."""
        return self._observers.metrics_address

    async def wait(self) -> None:
        """Returns when draining has begun."""
        await self.draining.wait()

    async def stop(self) -> None:
        """Drains: no new calls by health, hooks, then open calls get `stop_seconds`. Safe to call twice."""
        self.draining.begin("stopped")
        if self._server is None:
            return
        for failure in await self.draining.run_hooks(self._settings.drain_seconds):
            self._log.warning("a drain hook failed", exc_info=failure)
        await self._server.stop(self._settings.stop_seconds)
        await self.abandon()

    async def abandon(self) -> None:
        """Stops at once: open calls are cancelled. Does nothing after `stop`."""
        self.draining.begin("abandoned")
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)
            await self._observers.stop()
            self._remove_sockets()

    def _add_servicers(self, server: grpc.aio.Server) -> list[str]:
        recorder = _Recorder(server)
        for add, servicer in self.definition.servicers:
            add(servicer, recorder)
        names = list(recorder.names)
        answering = health.DrainingHealth(self.draining, names, self.definition.conditions)
        health_pb2_grpc.add_HealthServicer_to_server(answering, server)
        LateReflection([*names, health.SERVICE_NAME], self.draining).add_to(server)
        return names

    def _bind(self, server: grpc.aio.Server, address: addresses.Address) -> str:
        if isinstance(address, addresses.UnixAddress):
            addresses.prepare_socket(address.path)
            server.add_insecure_port(str(address))
            os.chmod(address.path, 0o600)
            self._sockets.append(address)
            return str(address)
        settings = self._settings
        try:
            if settings.tls_certificate:
                credentials = server_credentials(
                    settings.tls_certificate, settings.tls_key, settings.tls_client_authority
                )
                port = server.add_secure_port(str(address), credentials)
            else:
                port = server.add_insecure_port(str(address))
        except RuntimeError as error:
            raise addresses.why_not_bound(address) from error
        return str(addresses.TcpAddress(address.host, port))

    def _refuse_unsafe(self, address: addresses.Address) -> None:
        settings = self._settings
        if isinstance(address, addresses.UnixAddress) or settings.insecure:
            return
        if not address.is_loopback and not settings.tls_certificate:
            raise InsecureTransport(
                f"{address} can be reached from other machines: set --tls-certificate and --tls-key, or say --insecure",
                address=address,
            )
        if not settings.token_file:
            raise InsecureTransport(
                f"{address} can be reached by other users: set --token-file, or say --insecure", address=address
            )

    def _authenticator(self, wanted: Sequence[addresses.Address]) -> Authenticator:
        if self._settings.token_file:
            return TokenRequired(ensure_token_file(self._settings.token_file))
        tcp = any(isinstance(address, addresses.TcpAddress) for address in wanted)
        return Anyone() if tcp and self._settings.insecure else LocalOnly()

    def _remove_sockets(self) -> None:
        for address in self._sockets:
            with contextlib.suppress(OSError):
                address.path.unlink()
        self._sockets.clear()


def server_options(message_bytes: int) -> list[tuple[str, Any]]:
    """Options of a server. Why each: a second server would share the port in silence; clients ping every 20 s."""
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_send_message_length", message_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
    ]


class _Recorder:
    """Stands in for the server while servicers are added, and keeps the names of their services."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self.names: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.ServiceRpcHandler]) -> None:
        self.names += [handler.service_name() for handler in handlers]
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        self._server.add_registered_method_handlers(service, handlers)
