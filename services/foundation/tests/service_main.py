"""The main.py of a service, as tests start it: python service_main.py UVLOOP FLAGS..."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from crossfleet.foundation import logs
from crossfleet.foundation.config import load
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve import ServerSettings, ServiceDefinition, run_service, serve
from services.foundation.tests.echo import Request, add_echo


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What any service has."""

    server: ServerSettings = ServerSettings()


async def _stuck(request: Any, context: Any) -> Any:
    await asyncio.Event().wait()


async def _main() -> None:
    settings = load(Settings, service="echo", argv=sys.argv[2:])
    draining = Draining()

    async def both(requests: Any, context: Any) -> Any:
        async for request in draining.until(requests):
            yield request
        yield Request(service=draining.cause)

    definition = ServiceDefinition("echo", [(add_echo, {"Both": both, "Unary": _stuck})])
    await serve(definition, settings.server, draining=draining)


if __name__ == "__main__":
    logs.configure("echo")
    sys.exit(run_service("echo", _main, uvloop=sys.argv[1] == "uvloop"))
