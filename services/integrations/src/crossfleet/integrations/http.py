"""The HTTP side of the gateway: where it may listen, and a server that ends with the process's draining."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from crossfleet.foundation.errors import InsecureTransport, PortInUse
from crossfleet.foundation.serve.addresses import parse_tcp


def bind(address: str, *, insecure: bool, encrypted: bool) -> socket.socket:
    """A listening socket for `HOST:PORT` (port 0: any free one).

    Raises AddressInvalid, PortInUse, and InsecureTransport off loopback without TLS unless `insecure`.
    """
    wanted = parse_tcp(address, "--http")
    if not (encrypted or insecure or wanted.is_loopback):
        raise InsecureTransport(
            f"HTTP on {address} would be readable on the network: give --tls-certificate and --tls-key, or --insecure",
            field="http",
        )
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((wanted.host, wanted.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(f"cannot listen on {address}: {error.strerror}", address=address) from error
    return listener


class HttpServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the gateway's gRPC server decides when the process ends."""

    def __init__(self, app: FastAPI, certificate: str = "", key: str = "") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
                ssl_certfile=certificate or None,
                ssl_keyfile=key or None,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield

    def end(self) -> None:
        """Makes `serve` return soon."""
        self.should_exit = True
