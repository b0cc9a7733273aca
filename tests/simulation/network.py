"""gRPC as the two sides see it, over simulated wires: ordered streams that are late, break as a whole, or are half open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import grpc

from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import DETAILS_KEY, to_status
from tests.simulation.loop import Process
from tests.simulation.wires import Inbox, Network, Way, Wire


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
        self, network: Network, wire: Wire, source: str, server: Server | None, handler: Callable[..., Any]
    ) -> None:
        """Without a server it breaks at once, as a refused connection does."""
        self._network = network
        self._loop = network.loop
        self._wire = wire
        self.up, self.down = Inbox(), Inbox()
        self._due = {"up": 0.0, "down": 0.0}
        self.client_status: BaseException | type[StopAsyncIteration] | None = None
        self._broken = False
        self._number = self._loop.next_number()
        self._task: asyncio.Task[Any] | None = None
        self.ways: tuple[Way, Way] = ((source, ""), ("", source))
        self._handler = handler
        if server is None:
            self.break_()
            return
        self.ways = ((source, server.machine), (server.machine, source))
        self.server: Process = server.process
        network.connections[self._number] = self
        self._after("up", self._accept)

    def _accept(self) -> None:
        if self.server.alive:
            self._task = self.server.start(self._serve())

    async def _serve(self) -> None:
        try:
            async for message in self._handler(self._requests()):
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

    def expire(self) -> None:
        """The client's time is up."""
        if self.client_status is None:
            self._close_client(_expired())
            self._after("up", self._cancel_server)

    def break_(self) -> None:
        """The connection is gone. What is on the way is lost; each side notices in its own time."""
        if self._broken:
            return
        self._broken = True
        self._network.connections.pop(self._number, None)
        random = self._wire.random
        now = self._loop.now
        error = _broken_error()
        late = self._wire.slow
        self._loop.outside(now + random.random() * (0.01 + late), self._close_client, error)
        self._loop.outside(now + random.random() * (0.01 + late), self._cancel_server)

    def _close_client(self, how: BaseException | type[StopAsyncIteration]) -> None:
        self._network.connections.pop(self._number, None)
        if self.client_status is None:
            self.client_status = how
        self.down.end(how)

    def _cancel_server(self) -> None:
        self._network.connections.pop(self._number, None)
        if self._task is not None and self.server.alive and not self._task.done():
            self.server.call(self._task.cancel)

    def _after(self, way: str, function: Callable[..., Any], *arguments: Any) -> None:
        if self._broken:
            return
        due = max(self._due[way] + 1e-9, self._loop.now + self._wire.delay())
        self._due[way] = due
        self._loop.outside(due, self._arrive, way, function, arguments)

    def _arrive(self, way: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        direction = self.ways[way == "down"]
        if self._network.blocked(*direction):
            self._network.hold(direction, lambda: self._arrive(way, function, arguments))
        elif not self._broken:
            if self._wire.spy is not None and arguments and not callable(arguments[0]):
                self._wire.spy(f"connection {self._number}", arguments[0])
            function(*arguments)


class Channel:
    """What `open_channel` gives: dials whatever `find` answers at the moment of the call."""

    def __init__(self, network: Network, wire: Wire, source: str, find: Callable[[], Server | None]) -> None:
        self._network, self._wire, self._source, self._find = network, wire, source, find

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Nothing to close: calls end by themselves."""

    def get_state(self, *, try_to_connect: bool = False) -> None:
        """Nothing to prepare: dialling takes no time of its own."""

    def stream_stream(self, path: str, *_: object, **__: object) -> Callable[..., Call]:
        def call(*_: object, timeout: float | None = None, **__: object) -> Call:
            server = self._server()
            handler = server.streams[path.rpartition("/")[2]] if server else _nobody
            stream = Stream(self._network, self._wire, self._source, server, handler)
            if timeout is not None:
                self._network.loop.call_later(timeout, stream.expire)
            return Call(stream)

        return call

    def unary_unary(self, path: str, *_: object, **__: object) -> Callable[..., Any]:
        async def call(request: Any, timeout: float = 30.0, **__: object) -> Any:
            try:
                async with asyncio.timeout(timeout):
                    return await self._unary(path.rpartition("/")[2], request)
            except TimeoutError:
                raise _expired() from None

        return call

    def _server(self) -> Server | None:
        server = self._find()
        if server is None or not server.process.alive or self._wire.cut:
            return None
        return server if self._network.reaches(self._source, server.machine) else None

    async def _unary(self, name: str, request: Any) -> Any:
        async def handler(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for one in requests:
                if server is not None:
                    yield await server.calls[name](one)
                return

        server = self._server()
        stream = Stream(self._network, self._wire, self._source, server, handler)
        stream.send_up(request)
        try:
            return await stream.down.get()
        except StopAsyncIteration:
            raise _broken_error() from None
        finally:
            stream.client_leaves()


class Server:
    """A process that serves: streams and unary calls by method name."""

    def __init__(self, network: Network, process: Process, machine: str) -> None:
        self._network = network
        self.process = process
        self.machine = machine
        self.streams: dict[str, Callable[..., AsyncIterator[Any]]] = {}
        self.calls: dict[str, Callable[[Any], Any]] = {}
        process.on_death.append(self.sever)

    def sever(self) -> None:
        """Every connection breaks, though the process may live: its peers got no answer to their pings."""
        for connection in list(self._network.connections.values()):
            if isinstance(connection, Stream) and connection.server is self.process:
                connection.break_()


async def _nobody(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    return
    yield


def rpc_error(error: CrossfleetError) -> grpc.aio.AioRpcError:
    """An error as the client of a real server gets it."""
    details = to_status(error).SerializeToString()
    return grpc.aio.AioRpcError(
        error.code, grpc.aio.Metadata(), grpc.aio.Metadata((DETAILS_KEY, details)), details=str(error)
    )


def status_error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    """The end of a call with a status."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)


def _broken_error() -> grpc.aio.AioRpcError:
    return status_error(grpc.StatusCode.UNAVAILABLE, "connection broken")


def _expired() -> grpc.aio.AioRpcError:
    return status_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def _copy(message: Any) -> Any:
    """What arrives is never the object that was sent."""
    return type(message).FromString(message.SerializeToString()) if hasattr(message, "SerializeToString") else message


def _resendable(message: Any) -> bool:
    """Journalled reports may come twice."""
    return any(getattr(one, "sequence", 0) for one in getattr(message, "messages", ()))
