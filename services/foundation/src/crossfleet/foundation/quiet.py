"""Keeps gRPC's own lines out of a service's log: each stranger who knocks at a TLS port is worth none, and none is JSON."""

from __future__ import annotations

import os

_NAME = "GRPC_VERBOSITY"


def quiet_grpc() -> None:
    """Imports gRPC so that it logs errors alone, unless GRPC_VERBOSITY says otherwise. Does nothing once it is imported.

    It reads the variable at its import, and never again: what this process starts does not inherit it.
    """
    if _NAME in os.environ:
        return
    os.environ[_NAME] = "ERROR"
    try:
        import grpc  # noqa: F401
    finally:
        del os.environ[_NAME]
