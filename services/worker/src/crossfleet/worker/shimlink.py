"""The agent's end of the socket to its shim: connect, attach, lines both ways."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, cast

from crossfleet.foundation.errors.execution import ShimUnreachable
from crossfleet.worker.shim.socketpath import addressable
from crossfleet.worker.shimstart import ShimProcess

Line = dict[str, Any]

ATTACH_SECONDS = 15.0
"""How long a shim may take to start and to answer."""
_POLL_SECONDS = 0.005
# A line may have 16 MiB; so may what is still unread when reading is paused.
_LINE_BYTES = 16 * 1024 * 1024


class ShimLink:
    """Attaches to the shim that lives under a state folder, and starts it where none does.

    `on_line` gets every line in order, the answer to the attachment first; `on_lost` is called when the connection
    ends without `stop`. Neither may raise.
    """

    def __init__(self, process: ShimProcess, on_line: Callable[[Line], None], on_lost: Callable[[], None]) -> None:
        """Nothing is started before `attach`."""
        self._process = process
        self._on_line = on_line
        self._on_lost = on_lost
        self._wire: _Wire | None = None
        self._stopping = False
        self.lost = asyncio.Event()
        self.pid = 0

    async def attach(self, incarnation: str) -> None:
        """Connect and attach; `on_line` has got the `attached` line when this returns.

        Raises ShimUnreachable when it neither lives nor starts, or does not answer in time.
        """
        self.lost.clear()
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                self._wire = await self._connect()
                self.send({"op": "attach", "incarnation": incarnation})
                attached = await self._wire.first
        except TimeoutError as error:
            raise ShimUnreachable(
                f"the shim did not answer on {self._process.socket} within {ATTACH_SECONDS:.0f} s; "
                f"its log is {self._process.log}",
                worker=incarnation,
            ) from error
        self.pid = int(attached.get("pid") or 0)
        self._process.adopt(self.pid)

    def send(self, *lines: Mapping[str, Any]) -> None:
        """Send lines, in one write. Lines sent while the shim is gone are dropped: the next attachment says all."""
        if self._wire is not None and lines:
            self._wire.send(b"".join(json.dumps(line).encode("ascii") + b"\n" for line in lines))

    def pause(self, paused: bool) -> None:
        """Stop reading, so that the shim feels back-pressure, or go on."""
        if self._wire is not None:
            self._wire.pause(paused)

    def detach(self) -> None:
        """Let go of the shim without ending it."""
        self._stopping = True
        if self._wire is not None:
            self._wire.close()

    async def stop(self, seconds: float) -> None:
        """End the shim and everything that it runs; by force when it takes longer than `seconds`."""
        self._stopping = True
        if self._wire is None:
            self._process.forget()  # it may have been coming up
            return
        self.send({"op": "stop"})
        try:
            await asyncio.wait_for(asyncio.shield(self._wire.closed), seconds)
        except TimeoutError:
            self._wire.close()
            if self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
        await self._process.reap(seconds)

    async def _connect(self) -> _Wire:
        loop = asyncio.get_running_loop()
        while True:
            try:
                with addressable(self._process.socket) as address:
                    _, wire = await loop.create_unix_connection(lambda: _Wire(self._on_line, self._lost), address)
                return wire
            except (FileNotFoundError, ConnectionRefusedError):
                self._process.ensure_started()
                await asyncio.sleep(_POLL_SECONDS)

    def _lost(self) -> None:
        if not self._stopping:
            self._wire = None
            self.lost.set()
            self._on_lost()


class _Wire(asyncio.Protocol):
    """Cuts the stream into lines."""

    def __init__(self, on_line: Callable[[Line], None], on_lost: Callable[[], None]) -> None:
        self._on_line = on_line
        self._on_lost = on_lost
        self._rest = bytearray()
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.first: asyncio.Future[Line] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if b"\n" not in data:
            self._rest += data
            if len(self._rest) > _LINE_BYTES:
                self.close()
            return
        head, _, tail = data.rpartition(b"\n")
        whole, self._rest = bytes(self._rest) + head, bytearray(tail)
        # One call for all of them: results come by the dozen.
        for line in json.loads(b"[" + whole.replace(b"\n", b",") + b"]"):
            self._on_line(line)
            if not self.first.done():
                self.first.set_result(line)

    def connection_lost(self, exc: Exception | None) -> None:
        attached = self.first.done()
        if not attached:
            self.first.set_exception(ShimUnreachable("the shim closed the connection before it answered"))
        if not self.closed.done():
            self.closed.set_result(None)
        if attached:
            self._on_lost()

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self, paused: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
