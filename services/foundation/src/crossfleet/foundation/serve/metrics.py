"""`/metrics` over plain HTTP/1.1, served by the loop of the service itself."""

from __future__ import annotations

import asyncio
import errno

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from crossfleet.foundation.errors.installation import AddressInvalid, PortInUse
from crossfleet.foundation.serve.addresses import TcpAddress, parse_tcp

_READ_SECONDS = 5.0
_LONGEST_HEAD = 16 * 1024
_MOST_CONNECTIONS = 64


class MetricsEndpoint:
    """Answers `GET /metrics` with what the registry holds, one request a connection."""

    def __init__(self, address: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._wanted = address
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._open = 0
        self.address = ""

    async def start(self) -> None:
        """Listens. Raises PortInUse, AddressInvalid."""
        wanted = parse_tcp(self._wanted, "--metrics")
        try:
            self._server = await asyncio.start_server(self._serve, wanted.host, wanted.port, limit=_LONGEST_HEAD)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"another process listens on {wanted}", address=wanted) from error
            raise AddressInvalid(f"cannot listen on {wanted}: {error.strerror}", address=wanted) from error
        self.address = str(TcpAddress(wanted.host, self._server.sockets[0].getsockname()[1]))

    async def stop(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > _MOST_CONNECTIONS:
                return
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _READ_SECONDS)
            writer.write(self._answer(head.decode("latin-1")))
            await asyncio.wait_for(writer.drain(), _READ_SECONDS)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, head: str) -> bytes:
        request, *headers = head.split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if path != "/metrics":
            return _response("404 Not Found", "text/plain", b"metrics are at /metrics\n")
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"")
        accept = next((h.partition(":")[2].strip() for h in headers if h.lower().startswith("accept:")), "")
        encode, content_type = choose_encoder(accept)
        return _response("200 OK", content_type, encode(self._registry), head_only=method == "HEAD")


def _response(status: str, content_type: str, body: bytes, *, head_only: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if head_only else body)
