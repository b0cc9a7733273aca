"""gRPC as the two sides see it, over simulated wires: ordered streams that are late, break as a whole, or are half open."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any, Self

import grpc

from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import DETAILS_KEY, to_status
from tests.simulation.loop import Process, SimLoop

_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Wire:
    """Delays of one host's connections. `slow` > 0 adds a heavy tail up to so many seconds."""

    def __init__(self, random: Random, spy: Callable[[str, Any], None] | None = None) -> None:
        self.random = random
        self.spy = spy
        self.slow = 0.0
        self.cut = False
        self.duplicates = 0

    def delay(self) -> float:
        """Seconds until the next message arrives."""
        base = 0.0002 + 0.001 * self.random.random()
        if self.slow and self.random.random() < 0.2:
            base += min(self.slow, 0.02 * self.random.paretovariate(0.7))
        return base


class Inbox:
    """The receiving end of one direction."""

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        self.ended: BaseException | type[StopAsyncIteration] | None = None
        self._wake = asyncio.Event()

    def put(self, item: Any) -> None:
        self.items.append(item)
        self._wake.set()

    def end(self, how: BaseException | type[StopAsyncIteration]) -> None:
        if self.ended is None:
            self.ended = how
            self._wake.set()

    async def get(self) -> Any:
        """The next message; raises how the direction ended."""
        while not self.items:
            if self.ended is not None:
                raise self.ended
            self._wake.clear()
            await self._wake.wait()
        return self.items.popleft()


class Call:
    """The client's side of one stream, as grpc.aio shows it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def write(self, message: Any) -> None:
        stream = self._stream
        if stream.client_status is not None:
            raise asyncio.InvalidStateError("RPC already finished.")
        await asyncio.sleep(0)
        stream.send_up(message)

    async def read(self) -> Any:
        try:
            return await self._stream.down.get()
        except StopAsyncIteration:
            return grpc.aio.EOF

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def done_writing(self) -> None:
        self._stream.end_up()

    def cancel(self) -> bool:
        self._stream.client_leaves()
        return True

    def done(self) -> bool:
        return self._stream.client_status is not None

    async def code(self) -> grpc.StatusCode:
        error = self._stream.client_status
        return error.code() if isinstance(error, grpc.aio.AioRpcError) else grpc.StatusCode.OK

    async def details(self) -> str:
        error = self._stream.client_status
        return error.details() or "" if isinstance(error, grpc.aio.AioRpcError) else ""

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        error = self._stream.client_status
        return error.trailing_metadata() if isinstance(error, grpc.aio.AioRpcError) else grpc.aio.Metadata()


class Stream:
    """One call between a client and a server process."""

    def __init__(
        self, loop: SimLoop, wire: Wire, server: Process | None, handler: Callable[..., AsyncIterator[Any]]
    ) -> None:
        """Without a server it breaks at once, as a refused connection does."""
        self._loop = loop
        self._wire = wire
        self.up, self.down = Inbox(), Inbox()
        self._due = {"up": 0.0, "down": 0.0}
        self.client_status: BaseException | type[StopAsyncIteration] | None = None
        self._server: Any = server
        self._broken = False
        self._number = loop.next_number()
        self._task: asyncio.Task[Any] | None = None
        if server is None:
            self.break_()
            return
        server.on_death.append(self.break_)
        self._after("up", self._accept, handler)

    def _accept(self, handler: Callable[..., AsyncIterator[Any]]) -> None:
        if self._server.alive:
            self._task = self._server.start(self._serve(handler))

    async def _serve(self, handler: Callable[..., AsyncIterator[Any]]) -> None:
        try:
            async for message in handler(self._requests()):
                self._after("down", self.down.put, _copy(message))
        except CrossfleetError as error:
            self._after("down", self._close_client, rpc_error(error))
        except grpc.RpcError as error:
            self._after("down", self._close_client, error)
        else:
            self._after("down", self._close_client, StopAsyncIteration)

    async def _requests(self) -> AsyncIterator[Any]:
        while True:
            try:
                message = await self.up.get()
            except StopAsyncIteration:
                return
            yield message

    def send_up(self, message: Any) -> None:
        copy = _copy(message)
        self._after("up", self.up.put, copy)
        if self._wire.duplicates and _resendable(copy):
            self._wire.duplicates -= 1
            self._after("up", self.up.put, _copy(copy))

    def end_up(self) -> None:
        self._after("up", self.up.end, StopAsyncIteration)

    def client_leaves(self) -> None:
        """The client cancels: the server's handler is cancelled when it hears of it."""
        if self.client_status is None:
            self.client_status = StopAsyncIteration
            self._after("up", self._cancel_server)

    def break_(self) -> None:
        """The connection is gone. What is on the way is lost; each side notices in its own time."""
        if self._broken:
            return
        self._broken = True
        random = self._wire.random
        now = self._loop.time()
        error = _broken_error()
        late = self._wire.slow
        self._loop.outside(now + random.random() * (0.01 + late), self._close_client, error)
        self._loop.outside(now + random.random() * (0.01 + late), self._cancel_server)

    def _close_client(self, how: BaseException | type[StopAsyncIteration]) -> None:
        if self.client_status is None:
            self.client_status = how
        self.down.end(how)

    def _cancel_server(self) -> None:
        if self._task is not None and self._server.alive:
            self._server.call(self._task.cancel)

    def _after(self, way: str, function: Callable[..., Any], *arguments: Any) -> None:
        if self._broken:
            return
        due = max(self._due[way] + 1e-9, self._loop.time() + self._wire.delay())
        self._due[way] = due
        self._loop.outside(due, self._arrive, function, arguments)

    def _arrive(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if not self._broken:
            if self._wire.spy is not None and arguments and not callable(arguments[0]):
                self._wire.spy(f"connection {self._number}", arguments[0])
            function(*arguments)


class Channel:
    """What `open_channel` gives: dials whatever `find` answers at the moment of the call."""

    def __init__(self, loop: SimLoop, wire: Wire, find: Callable[[], Server | None], streams: list[Stream]) -> None:
        self._loop, self._wire, self._find, self._streams = loop, wire, find, streams

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Nothing to close: calls end by themselves."""

    def stream_stream(self, path: str, *_: object, **__: object) -> Callable[..., Call]:
        def call(*_: object, **__: object) -> Call:
            server = self._server()
            handler = server.streams[path.rpartition("/")[2]] if server else _nobody
            stream = Stream(self._loop, self._wire, server.process if server else None, handler)
            self._streams[:] = [one for one in self._streams if not one._broken and one.client_status is None]
            self._streams.append(stream)
            return Call(stream)

        return call

    def unary_unary(self, path: str, *_: object, **__: object) -> Callable[..., Any]:
        async def call(request: Any, timeout: float = 30.0, **__: object) -> Any:
            return await asyncio.wait_for(self._unary(path.rpartition("/")[2], request), timeout)

        return call

    def _server(self) -> Server | None:
        server = self._find()
        return server if server is not None and server.process.alive and not self._wire.cut else None

    async def _unary(self, name: str, request: Any) -> Any:
        async def handler(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for one in requests:
                if server is not None:
                    yield await server.calls[name](one)
                return

        server = self._server()
        stream = Stream(self._loop, self._wire, server.process if server else None, handler)
        self._streams.append(stream)
        stream.send_up(request)
        try:
            return await stream.down.get()
        except StopAsyncIteration:
            raise _broken_error() from None
        finally:
            stream.client_leaves()


class Server:
    """A process that serves: streams and unary calls by method name."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.streams: dict[str, Callable[..., AsyncIterator[Any]]] = {}
        self.calls: dict[str, Callable[[Any], Any]] = {}

    def sever(self) -> None:
        """Every connection breaks, though the process may live: its peers got no answer to their pings."""
        for told in list(self.process.on_death):
            if getattr(told, "__name__", "") == "break_":
                told()


async def _nobody(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    return
    yield


def rpc_error(error: CrossfleetError) -> grpc.aio.AioRpcError:
    """An error as the client of a real server gets it."""
    details = to_status(error).SerializeToString()
    return grpc.aio.AioRpcError(
        error.code, grpc.aio.Metadata(), grpc.aio.Metadata((DETAILS_KEY, details)), details=str(error)
    )


def _broken_error() -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(_UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details="connection broken")


def _copy(message: Any) -> Any:
    """What arrives is never the object that was sent."""
    return type(message).FromString(message.SerializeToString()) if hasattr(message, "SerializeToString") else message


def _resendable(message: Any) -> bool:
    """Journalled reports may come twice."""
    return any(getattr(one, "sequence", 0) for one in getattr(message, "messages", ()))
