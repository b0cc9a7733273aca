"""A service as a process: readiness on stdout, signals, the lifeline, exit statuses."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NoReturn

import msgspec

from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors.access import CertificateInvalid, FilePermissionsUnsafe, InsecureTransport
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.installation import (
    AddressInvalid,
    ConfigurationInvalid,
    NetworkFileSystem,
    PortInUse,
    SchemaVersionUnsupported,
    SocketPathTooLong,
)
from crossfleet.foundation.lifeline import watch_lifeline
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.loop import new_loop
from crossfleet.foundation.serve.definition import ServerSettings, ServiceDefinition
from crossfleet.foundation.serve.server import Server
from crossfleet.foundation.wait import first_of

STOPPED, WRONG_SETTINGS, FAILED = 0, 2, 3
"""Exit statuses of a service."""
_UNMENDED_BY_A_RESTART = (
    AddressInvalid,
    CertificateInvalid,
    ConfigurationInvalid,
    FilePermissionsUnsafe,
    InsecureTransport,
    NetworkFileSystem,
    PortInUse,
    SchemaVersionUnsupported,
    SocketPathTooLong,
)


async def serve(
    definition: ServiceDefinition,
    settings: ServerSettings,
    *,
    draining: Draining | None = None,
    ready: Callable[[str, tuple[str, ...]], None] | None = None,
) -> None:
    """Serves until SIGTERM, SIGINT, the lifeline's end or `draining.begin()`; then drains and returns.

    Prints the readiness line once it serves. A second signal stops at once. Raises what `Server.start` raises.
    """
    server = Server(definition, settings, draining)
    addresses = await server.start()
    try:
        async with ending(server.draining, settings.lifeline_fd) as stop_now:
            (ready or print_ready)(definition.name, addresses)
            await server.wait()
            get_logger().info("draining", cause=server.draining.cause)
            await first_of(server.stop(), stop_now.wait())
    finally:
        await server.abandon()
    get_logger().info("stopped", cause=server.draining.cause)


@asynccontextmanager
async def ending(draining: Draining, lifeline_fd: int = -1) -> AsyncIterator[asyncio.Event]:
    """Inside the block, SIGTERM, SIGINT and the lifeline's end begin draining; yields what a second signal sets.

    For processes that serve nothing; `serve` does it by itself. Raises ConfigurationInvalid when `lifeline_fd` is not
    a pipe (-1: there is none).
    """
    loop = asyncio.get_running_loop()
    stop_now = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if draining.begun:
            stop_now.set()
        draining.begin(number.name)

    lifeline = watch_lifeline(lifeline_fd, lambda: draining.begin("lifeline")) if lifeline_fd >= 0 else None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield stop_now
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if lifeline is not None:
            lifeline.close()


def run_service(name: str, main: Callable[[], Coroutine[Any, Any, None]], *, uvloop: bool = False) -> int:
    """Runs a service's `main` to its end and returns the exit status: 0 drained, 2 wrong settings, 3 anything else.

    A failure is logged and, as `{"ready": false, "reason": ..., "message": ...}`, printed for the supervisor.
    """
    # Python prints a traceback for a Ctrl-C that comes before the handlers are set.
    try:
        with asyncio.Runner(loop_factory=partial(new_loop, uvloop=uvloop)) as runner:
            runner.run(main())
    except CrossfleetError as error:
        get_logger().error("the service could not go on", reason=error.reason, message=str(error))
        _print_line({"ready": False, "service": name, "reason": error.reason, "message": str(error)})
        return WRONG_SETTINGS if isinstance(error, _UNMENDED_BY_A_RESTART) else FAILED
    except KeyboardInterrupt:
        return STOPPED
    except Exception as error:  # noqa: BLE001 - the last door: logged, and the supervisor is told
        get_logger().error("the service failed", exc_info=error)
        _print_line({"ready": False, "service": name, "reason": "INTERNAL", "message": "see the log of the service"})
        return FAILED
    return STOPPED


def end_process(status: int) -> NoReturn:
    """Ends the process at once, with what was printed flushed and `atexit` functions called.

    Python takes half a second of CPU time to take the modules of a gRPC service apart, and somebody waits for the end.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody listens any more
            stream.flush()
    os._exit(status)


def print_ready(name: str, addresses: tuple[str, ...]) -> None:
    """Prints the one line that says where the service can be reached."""
    first = addresses[0] if addresses else ""
    _print_line({"ready": True, "service": name, "address": first, "addresses": addresses, "pid": os.getpid()})


def print_event(name: str, event: str, content: Mapping[str, object]) -> None:
    """Prints a line that tells a supervisor what has happened to the service."""
    _print_line({**content, "event": event, "service": name})


def _print_line(content: dict[str, object]) -> None:
    try:
        sys.stdout.write(msgspec.json.encode(content).decode() + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):  # nobody listens any more: not a reason to end
        pass
