"""What is served, and how it may be reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from crossfleet.foundation.config.model import setting
from crossfleet.foundation.interceptors.layers import Layer
from crossfleet.foundation.serve.health import Condition

Servicer = tuple[Callable[[Any, Any], None], Any]
"""A generated `add_XServicer_to_server` and the servicer that it adds."""


@dataclass(frozen=True)
class ServiceDefinition:
    """A service: its short name (coordinator, scheduler, ...), its servicers, layers of its own around each call, and
    conditions that are asked for by name as health is."""

    name: str
    servicers: Sequence[Servicer]
    layers: Sequence[Layer] = field(default=())
    conditions: Mapping[str, Condition] = field(default_factory=dict)


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings that every service shares; nested under `server`, whose name flags and variables leave out."""

    listen: Annotated[
        tuple[str, ...], setting("Where to serve gRPC: unix:/PATH or HOST:PORT (port 0: any free one). May repeat.")
    ] = ()
    token_file: Annotated[
        str, setting("File with the token that TCP callers must show; created with mode 0600 when it is missing.")
    ] = ""
    tls_certificate: Annotated[
        str, setting("PEM file of the server's certificate chain. TCP is then served by TLS.")
    ] = ""
    tls_key: Annotated[str, setting("PEM file of the certificate's private key.")] = ""
    tls_client_authority: Annotated[
        str, setting("PEM file of an authority: clients must show a certificate that it signed.")
    ] = ""
    insecure: Annotated[
        bool,
        setting("Serve TCP without TLS off loopback, and without a token if none is set. Anyone on the path reads it."),
    ] = False
    metrics: Annotated[str, setting("HOST:PORT to answer Prometheus at /metrics. None: no metrics are kept.")] = ""
    lifeline_fd: Annotated[
        int,
        setting("A pipe's read end, inherited from the supervisor: its end means that the supervisor is gone.", ge=-1),
    ] = -1
    drain_seconds: Annotated[
        float, setting("The longest time for handing work back when going down, in seconds.", ge=0)
    ] = 10.0
    stop_seconds: Annotated[float, setting("The longest time for open calls to end after that, in seconds.", ge=0)] = (
        2.0
    )
    open_calls: Annotated[
        int, setting("How many calls and streams may be open at once; the next one is refused.", ge=1)
    ] = 10_000
    message_bytes: Annotated[int, setting("The longest message taken or sent, in bytes.", ge=1 << 16, le=1 << 30)] = (
        16 * 1024 * 1024
    )
