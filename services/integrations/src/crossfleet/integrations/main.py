"""The gateway: reads its settings, dials the coordinator, serves gRPC and HTTP until it is told to end."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from crossfleet.api.integrations.v1.delivery_service_pb2_grpc import add_DeliveryServiceServicer_to_server
from crossfleet.foundation import logs, telemetry
from crossfleet.foundation.auth import Anyone, Authenticator, LocalOnly, TokenRequired, ensure_token_file
from crossfleet.foundation.channel import Credentials
from crossfleet.foundation.config import load
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import ConfigurationInvalid
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.route import Route
from crossfleet.foundation.serve import ServerSettings, ServiceDefinition, print_ready, run_service, serve
from crossfleet.integrations.config import Settings
from crossfleet.integrations.http import HttpServer, bind
from crossfleet.integrations.rest.app import build_app
from crossfleet.integrations.servicer import DeliveryServicer
from crossfleet.integrations.usecases import UseCases

SERVICE = "integrations"


async def gateway(settings: Settings) -> None:
    """Serves until drained. Raises AddressInvalid, ConfigurationInvalid, InsecureTransport, PortInUse."""
    if not settings.coordinator:
        raise ConfigurationInvalid(
            "--coordinator is missing: unix:/path or HOST:PORT, or several with commas", field="coordinator"
        )
    draining = Draining()
    credentials = Credentials(
        token_file=settings.coordinator_token_file,
        tls_authority=settings.coordinator_authority,
        tls_certificate=settings.coordinator_certificate,
        tls_key=settings.coordinator_key,
        insecure=settings.coordinator_insecure,
    )
    async with FollowingChannel(Route(settings.coordinator, credentials.check), credentials.open) as channel:
        usecases = UseCases(channel, settings.call_seconds)
        definition = ServiceDefinition(SERVICE, [(add_DeliveryServiceServicer_to_server, DeliveryServicer())])
        if not settings.http:
            await serve(definition, settings.server, draining=draining)
            return
        encrypted = bool(settings.server.tls_certificate)
        listener = bind(settings.http, insecure=settings.server.insecure, encrypted=encrypted)
        app = build_app(usecases, _authenticator(settings.server), version("crossfleet-integrations"))
        http = HttpServer(app, settings.server.tls_certificate, settings.server.tls_key)
        host, port = listener.getsockname()[:2]
        web = f"http{'s' if encrypted else ''}://{host}:{port}"
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        serving.add_done_callback(lambda _: draining.begin("the HTTP server ended"))
        try:
            await serve(
                definition,
                settings.server,
                draining=draining,
                ready=lambda name, grpc_addresses: print_ready(name, (*grpc_addresses, web)),
            )
        finally:
            http.end()
            await serving


def _authenticator(server: ServerSettings) -> Authenticator:
    if server.token_file:
        return TokenRequired(ensure_token_file(server.token_file))
    return Anyone() if server.insecure else LocalOnly()


async def _start() -> None:
    settings = load(Settings, service=SERVICE)
    logs.configure(SERVICE, format=settings.log_format, level=settings.log_level)
    telemetry.configure(SERVICE)
    await gateway(settings)


def main() -> int:
    """Entry point of the process; returns its exit status."""
    return run_service(SERVICE, _start, uvloop=True)
