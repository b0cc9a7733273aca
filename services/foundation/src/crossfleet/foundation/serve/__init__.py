"""How every service serves: `run_service(name, main)` in `main.py`, `await serve(definition, settings)` inside."""

from __future__ import annotations

from crossfleet.foundation.serve.definition import ServerSettings, ServiceDefinition
from crossfleet.foundation.serve.health import Condition
from crossfleet.foundation.serve.process import end_process, ending, print_event, print_ready, run_service, serve
from crossfleet.foundation.serve.server import Server

__all__ = [
    "Condition",
    "Server",
    "ServerSettings",
    "ServiceDefinition",
    "end_process",
    "ending",
    "print_event",
    "print_ready",
    "run_service",
    "serve",
]
