"""The client's side of a connection: keepalive, no proxy, token, TLS, limits, and the trace of the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from crossfleet.foundation.auth import read_token
from crossfleet.foundation.carrying import CarryingChannel
from crossfleet.foundation.errors.access import InsecureTransport
from crossfleet.foundation.serve.addresses import Address, TcpAddress, parse
from crossfleet.foundation.tls import client_credentials

MESSAGE_BYTES = 16 * 1024 * 1024
CONNECT_SECONDS = 2.0
"""What gRPC gives a connection to come up: several round trips of a far link, and not for ever where nobody answers.

Its name for that is misleading: who is refused is dialled again after the initial back-off all the same.
"""


def open_channel(
    address: str,
    *,
    token_file: str = "",
    token: str = "",
    tls_authority: str = "",
    tls_certificate: str = "",
    tls_key: str = "",
    tls: bool = False,
    insecure: bool = False,
    message_bytes: int = MESSAGE_BYTES,
) -> grpc.aio.Channel:
    """A channel to `unix:/PATH` or `HOST:PORT`, connected at the first call; close it when done.

    TLS is used when `tls` is set or an authority or certificate is given. A token is not sent in the clear to another
    machine unless `insecure`. Raises AddressInvalid, SocketPathTooLong, InsecureTransport, ConfigurationInvalid,
    FilePermissionsUnsafe, CertificateInvalid.
    """
    parsed = parse(address)
    secret = token or (read_token(token_file) if token_file else "")
    options = channel_options(message_bytes)
    if isinstance(parsed, TcpAddress) and (tls or tls_authority or tls_certificate):
        credentials = client_credentials(tls_authority, tls_certificate, tls_key)
        inner = grpc.aio.secure_channel(str(parsed), credentials, options=options)
    else:
        if secret and not insecure:
            _refuse_to_tell(parsed)
        inner = grpc.aio.insecure_channel(str(parsed), options=options)
    own = (("authorization", f"Bearer {secret}"),) if secret and isinstance(parsed, TcpAddress) else ()
    return CarryingChannel(inner, own)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What connections of one caller need, whichever coordinator they go to; empty: none. See `open_channel`."""

    token_file: str = ""
    tls_authority: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    insecure: bool = False
    message_bytes: int = MESSAGE_BYTES

    def check(self, address: str) -> None:
        """Whether these may go to that address. Raises AddressInvalid, SocketPathTooLong, InsecureTransport."""
        parsed = parse(address)
        if self.token_file and not (self.tls_authority or self.tls_certificate or self.insecure):
            _refuse_to_tell(parsed)

    def open(self, address: str) -> grpc.aio.Channel:
        """A channel to that address. Raises as `open_channel` does."""
        return open_channel(
            address,
            token_file=self.token_file,
            tls_authority=self.tls_authority,
            tls_certificate=self.tls_certificate,
            tls_key=self.tls_key,
            insecure=self.insecure,
            message_bytes=self.message_bytes,
        )


def _refuse_to_tell(address: Address) -> None:
    if isinstance(address, TcpAddress) and not address.is_loopback:
        raise InsecureTransport(
            f"the token would go to {address} in the clear: give the authority of its certificate, or say insecure",
            address=address,
        )


def channel_options(message_bytes: int = MESSAGE_BYTES) -> list[tuple[str, Any]]:
    """Options of a channel. Pings go every 20 s: servers here allow one each 10 s."""
    return [
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_send_message_length", message_bytes),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", round(CONNECT_SECONDS * 1000)),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.max_metadata_size", 64 * 1024),
    ]
