"""One session with the coordinator: a stream, from Hello to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import grpc

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.api.worker.v1.worker_service_pb2_grpc import WorkerServiceStub
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.execution import ShimUnreachable
from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import first_of
from crossfleet.worker.core.link import Link
from crossfleet.worker.core.records import Outgoing
from crossfleet.worker.translate import facts, upward
from crossfleet.worker.waiting import until

_REQUEST_BYTES = 2 * 1024 * 1024
_WELCOME_SECONDS = 30.0
# What a message costs on its way (streams, a commit, an acknowledgement) is worth some fifty results.
_GATHER_SECONDS = 0.05


class Listener(Protocol):
    """Who acts on what the coordinator says. Its methods return at once and do not raise."""

    def on_welcome(self, welcome: wire.Welcome) -> None:
        """A session begins. Called before anything else of it."""

    def on_message(self, message: wire.CoordinatorMessage) -> None:
        """Anything that is not a Welcome."""

    def replayed(self) -> bool:
        """Whether all that was journalled before this session has been given to the link."""

    def on_sent(self) -> None:
        """Something has left: there may be room again."""


class Session:
    """Sends what the link has ready, whenever `wake` says that there is something; several messages at once."""

    def __init__(self, link: Link, listener: Listener, *, resident_bytes: Callable[[], int]) -> None:
        """`resident_bytes` is asked for each heartbeat."""
        self._link = link
        self._listener = listener
        self._resident_bytes = resident_bytes
        self._ready = asyncio.Event()
        self._urgent = asyncio.Event()
        self._leaving = False
        self._heard = 0
        self._aborted: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """There is something to send, now."""
        self._ready.set()
        self._urgent.set()

    def wake_soon(self) -> None:
        """There is something to send, which may wait for more of its kind while much is being sent."""
        self._ready.set()

    def leave(self) -> None:
        """End the stream in good order once everything that is ready was sent."""
        self._leaving = True
        self.wake()

    def abort(self, why: str) -> None:
        """Break the stream off: what Hello said does not hold any more."""
        if self._aborted is not None and not self._aborted.done():
            self._aborted.set_exception(ShimUnreachable(why))

    async def run(self, channel: grpc.aio.Channel, hello: wire.ConnectRequest) -> None:
        """Hold the session until it ends. Raises CrossfleetError: refused, broken off, or ended by the coordinator."""
        call: Any = WorkerServiceStub(channel).Connect()  # type: ignore[no-untyped-call,unused-ignore]
        self._aborted = asyncio.get_running_loop().create_future()
        try:
            await first_of(self._talk(call, hello), self._aborted)
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error
        except (asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            # The stream was over when it was written to; its status says why.
            raise await self._status_of(call) from error
        except TimeoutError as error:
            raise Unavailable(f"no Welcome within {_WELCOME_SECONDS:.0f} s") from error
        finally:
            self._link.lost()
            call.cancel()

    async def _talk(self, call: Any, hello: wire.ConnectRequest) -> None:
        await call.write(hello)
        async with asyncio.timeout(_WELCOME_SECONDS):  # wait_for may forget a cancellation before Python 3.12
            welcome, rest = await self._welcome(call)
        self._listener.on_welcome(welcome)
        self._deliver(rest)
        lease = max(welcome.lease_seconds, 0.3)
        parts = [self._receive(call), self._send(call), self._beat(lease / 3)]
        if welcome.answers_heartbeats:
            parts.append(self._notice_silence(lease / 2))
        await first_of(*parts)

    async def _welcome(self, call: Any) -> tuple[wire.Welcome, list[wire.CoordinatorMessage]]:
        response = await call.read()
        if response is grpc.aio.EOF:
            await self._raise_status(call)
            raise Unavailable("the coordinator ended the stream before a Welcome")
        messages = list(response.messages)
        if not messages or messages[0].WhichOneof("kind") != "welcome":
            raise Unavailable("the coordinator did not begin with a Welcome")
        return messages[0].welcome, messages[1:]

    async def _receive(self, call: Any) -> None:
        while (response := await call.read()) is not grpc.aio.EOF:
            self._heard += 1
            self._deliver(response.messages)
        await self._raise_status(call)
        if not self._leaving:
            raise Unavailable("the coordinator ended the stream")

    async def _notice_silence(self, seconds: float) -> None:
        """Raise Unavailable after one or two such spans without a word: TCP would tell much later, or never."""
        while True:
            before = self._heard
            await asyncio.sleep(seconds)
            if self._heard == before:
                raise Unavailable(f"the coordinator has been silent for more than {seconds:g} s")

    def _deliver(self, messages: Any) -> None:
        for message in messages:
            self._listener.on_message(message)

    async def _send(self, call: Any) -> None:
        self.wake()
        last = 0.0
        while True:
            await self._ready.wait()
            await self._gather(last)
            self._ready.clear()
            self._urgent.clear()
            for request in requests(self._link.window.take()):
                await call.write(request)
            last = asyncio.get_running_loop().time()
            self._listener.on_sent()
            if self._leaving and self._link.window.idle:
                await call.done_writing()
                await asyncio.Event().wait()

    async def _gather(self, last: float) -> None:
        """Let results gather for a few milliseconds after the last request, unless something cannot wait."""
        left = last + _GATHER_SECONDS - asyncio.get_running_loop().time()
        if left > 0 and not self._urgent.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._urgent.wait()

    async def _beat(self, interval: float) -> None:
        """Heartbeats. The first one says that the journal was sent before it: until then, progress keeps the lease."""
        while not await until(self._listener.replayed, interval):
            self._link.say(facts.progress({}))
            self.wake()
        while True:
            self._link.say(facts.heartbeat(self._resident_bytes()))
            self.wake()
            await asyncio.sleep(interval)

    async def _status_of(self, call: Any) -> CrossfleetError:
        try:
            await self._raise_status(call)
        except grpc.RpcError as error:
            return error_from_rpc(error)
        return Unavailable("the stream broke off")

    @staticmethod
    async def _raise_status(call: Any) -> None:
        if await call.code() is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                await call.code(),
                await call.initial_metadata(),
                await call.trailing_metadata(),
                details=await call.details(),
            )


def requests(batch: list[Outgoing]) -> Iterator[wire.ConnectRequest]:
    """A batch as few requests of bounded size, in order."""
    request, size = wire.ConnectRequest(), 0
    for outgoing in batch:
        message = upward.message(outgoing)
        weight = message.ByteSize()
        if size and size + weight > _REQUEST_BYTES:
            yield request
            request, size = wire.ConnectRequest(), 0
        request.messages.append(message)
        size += weight
    if size:
        yield request
