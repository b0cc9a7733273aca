"""Where a fleet is, and how to prove who asks."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from crossfleet.foundation.channel import Credentials
from crossfleet.foundation.errors import ConfigurationInvalid

OUTAGE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Addresses (`unix:/path` or `HOST:PORT`, commas between them) with the files that a connection needs; empty: none.

    Any coordinator of the fleet will do: the leader is found from there. `outage_seconds`: how long a fleet that has
    answered may be away before a call or a watch gives up.
    """

    address: str
    token_file: str = ""
    tls_authority: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    insecure: bool = False
    outage_seconds: float = OUTAGE_SECONDS

    @property
    def addresses(self) -> tuple[str, ...]:
        """Each of the addresses."""
        return tuple(word.strip() for word in self.address.split(","))

    @property
    def credentials(self) -> Credentials:
        """What a connection to any of them needs."""
        return Credentials(
            token_file=self.token_file,
            tls_authority=self.tls_authority,
            tls_certificate=self.tls_certificate,
            tls_key=self.tls_key,
            insecure=self.insecure,
        )

    @property
    def on_unix_socket(self) -> bool:
        """Whether the fleet is on this machine and only its owner can reach it."""
        return all(address.startswith("unix:") for address in self.addresses)

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Endpoint | None:
        """What CROSSFLEET_ADDRESS, _TOKEN_FILE, _TLS_*, _INSECURE and _OUTAGE_SECONDS say; None without an address.

        Raises ConfigurationInvalid where the last is no number of seconds.
        """
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
            _seconds(found.get(_OUTAGE, "")),
        )


_OUTAGE = "CROSSFLEET_OUTAGE_SECONDS"


def _seconds(text: str) -> float:
    try:
        seconds = float(text or OUTAGE_SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ConfigurationInvalid(f"{_OUTAGE} is {text!r}: write a number of seconds, as 60", field=_OUTAGE)
    return seconds
