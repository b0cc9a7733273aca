"""Where a fleet is, and how to prove who asks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address (`unix:/path` or `HOST:PORT`) with the files that a connection to it needs; empty: none."""

    address: str
    token_file: str = ""
    tls_authority: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    insecure: bool = False

    @property
    def on_unix_socket(self) -> bool:
        """Whether the fleet is on this machine and only its owner can reach it."""
        return self.address.startswith("unix:")

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Endpoint | None:
        """What CROSSFLEET_ADDRESS, CROSSFLEET_TOKEN_FILE, CROSSFLEET_TLS_* and CROSSFLEET_INSECURE name; None without an address."""
        found = os.environ if environment is None else environment
        address = found.get("CROSSFLEET_ADDRESS", "")
        if not address:
            return None
        return Endpoint(
            address,
            found.get("CROSSFLEET_TOKEN_FILE", ""),
            found.get("CROSSFLEET_TLS_AUTHORITY", ""),
            found.get("CROSSFLEET_TLS_CERTIFICATE", ""),
            found.get("CROSSFLEET_TLS_KEY", ""),
            found.get("CROSSFLEET_INSECURE", "") in ("1", "true", "yes"),
        )
