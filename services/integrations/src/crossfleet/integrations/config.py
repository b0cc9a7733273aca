"""The settings of the integration gateway."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from crossfleet.foundation.config import setting
from crossfleet.foundation.serve import ServerSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What can be set, each with its default and unit."""

    coordinator: Annotated[
        str, setting("Addresses of coordinators: unix:/path or HOST:PORT, commas between them; one finds the leader.")
    ] = ""
    coordinator_token_file: Annotated[str, setting("File with the token for a coordinator on TCP.")] = ""
    coordinator_authority: Annotated[str, setting("File with the certificate authority of a coordinator on TLS.")] = ""
    coordinator_certificate: Annotated[str, setting("File with the gateway's own certificate, for mutual TLS.")] = ""
    coordinator_key: Annotated[str, setting("File with the key of that certificate.")] = ""
    coordinator_insecure: Annotated[bool, setting("Send the token in the clear to a coordinator elsewhere.")] = False
    http: Annotated[str, setting("HOST:PORT on which REST and /metrics are served; empty: not at all.")] = ""
    call_seconds: Annotated[
        float, setting("How long a call may take until some coordinator answers it, in seconds.", ge=0.1)
    ] = 10.0
    log_format: Annotated[Literal["json", "console"], setting("Form of the log on standard error.")] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("Least level that is logged.")] = "info"
    server: ServerSettings = ServerSettings()
