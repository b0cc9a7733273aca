"""The members of an etcd: one channel each, and which of them is called at present."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from crossfleet.foundation.channel import channel_options
from crossfleet.foundation.errors.access import InsecureTransport
from crossfleet.foundation.etcd.settings import EtcdSettings, addresses
from crossfleet.foundation.serve.addresses import Address, TcpAddress
from crossfleet.foundation.tls import client_credentials

_OPTIONS = {
    # Etcd lets go of who pings oftener than each 5 s, or without an open call.
    "grpc.keepalive_time_ms": 6_000,
    "grpc.keepalive_timeout_ms": 3_000,
    "grpc.keepalive_permit_without_calls": 0,
    # A lease may be short: a member that is back must not wait for long.
    "grpc.max_reconnect_backoff_ms": 500,
}


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One endpoint."""

    address: str
    channel: grpc.aio.Channel


class Members:
    """All endpoints; the next one is taken when the present one fails."""

    def __init__(self, settings: EtcdSettings, draw: Callable[[], float]) -> None:
        """Begins with one drawn by `draw` (0 to 1), so that clients spread. Raises what `open_members` raises."""
        self.all = _open_members(settings)
        self._present = int(draw() * len(self.all)) % len(self.all)

    @property
    def present(self) -> Member:
        """The one to call."""
        return self.all[self._present]

    def leave(self, member: Member) -> None:
        """Call another one from now on, unless that has happened already."""
        if member is self.present:
            self._present = (self._present + 1) % len(self.all)

    async def close(self) -> None:
        """Closes every channel."""
        await asyncio.gather(*(member.channel.close() for member in self.all))


def _open_members(settings: EtcdSettings) -> tuple[Member, ...]:
    """Raises ConfigurationInvalid, CertificateInvalid, and InsecureTransport for a password in the clear."""
    found = addresses(settings)
    secure = (
        client_credentials(settings.tls_authority, settings.tls_certificate, settings.tls_key) if settings.tls else None
    )
    options = list({**dict(channel_options()), **_OPTIONS}.items())

    def opened(address: Address) -> Member:
        if isinstance(address, TcpAddress) and secure is not None:
            return Member(str(address), grpc.aio.secure_channel(str(address), secure, options=options))
        if isinstance(address, TcpAddress) and settings.user and not address.is_loopback:
            raise InsecureTransport(
                f"the password would go to {address} in the clear: set etcd.tls_authority", address=address
            )
        return Member(str(address), grpc.aio.insecure_channel(str(address), options=options))

    return tuple(opened(address) for address in found)
