"""The switch in front of the servicers: one server for the whole life of a process, whoever is in charge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from crossfleet.coordinator.roles.methods import Handler, Handlers, answered
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.interceptors.layers import Call
from crossfleet.foundation.serve.definition import Servicer

# Callers have nowhere else to go: those who wait here are there at once, and a thousand that come again cost more.
_DECISION_SECONDS = 3.0

Refusal = Callable[[], CrossfleetError]
Check = Callable[[], Awaitable[None]]


@dataclass(eq=False, slots=True)
class Answerers:
    """Who answers calls from some moment on, until `over`."""

    handlers: Handlers
    over: bool = False


class Switch:
    """Each new call goes to who is in charge; what these do not answer is refused.

    A call that began under an earlier charge goes on: its handler is told by other ways that it is over. If it is a
    stream, it ends with the refusal, so that its caller learns where to go.
    """

    def __init__(self, known: frozenset[str], following: Handlers, refusal: Refusal, check: Check) -> None:
        """`known` has the path of every method that there is, `following` those that are answered by who does not lead.

        `refusal` makes the error that says who leads. Before that, `check` makes sure that it is so, and calls `expect` if not.
        """
        self._known = known
        self._following = following
        self._refusal = refusal
        self._check = check
        self._charge = Answerers(following)
        self._decided = asyncio.Event()
        self._decided.set()
        self._others: Handlers = {
            path: grpc.stream_stream_rpc_method_handler(partial(self._wait, path)) for path in known
        }

    def expect(self) -> None:
        """Nobody is known to lead and to be there: what would be refused waits for somebody, within a bound."""
        self._decided.clear()

    def settle(self) -> None:
        """Who leads is known."""
        self._decided.set()

    def lead(self, handlers: Handlers) -> None:
        """From now on these answer."""
        self._put(handlers)
        self.settle()

    def follow(self) -> None:
        """From now on reads are answered and all else is refused."""
        self._put(self._following)

    def _put(self, handlers: Handlers) -> None:
        self._charge.over = True
        self._charge = Answerers(handlers)

    def servicers(self) -> list[Servicer]:
        """What a server adds."""
        names = sorted({path.removeprefix("/").partition("/")[0] for path in self._known})
        return [(self._add, name) for name in names]

    def _add(self, name: str, server: Any) -> None:
        server.add_generic_rpc_handlers((_Service(name, self._handler),))

    def _handler(self, path: str) -> Handler | None:
        return self._charge.handlers.get(path) or self._others.get(path)

    async def _wait(self, path: str, requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        """Serves any kind of call, since on the wire each is a stream of bytes both ways."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DECISION_SECONDS):
                await self._decision(path)
        charge = self._charge
        handler = charge.handlers.get(path)
        if handler is None:
            raise self._refusal()
        async for answer in answered(handler, requests, context):
            yield answer
        self._check_over(charge, handler)

    async def _decision(self, path: str) -> None:
        """Returns when this coordinator answers, or knows who does."""
        while True:
            await self._decided.wait()
            if path in self._charge.handlers:
                return
            await self._check()
            if self._decided.is_set():
                return

    def layer(self, call: Call) -> AbstractContextManager[None]:
        """The layer around each call that lets it end with the refusal."""
        return self._within(f"/{call.service}/{call.method}")

    @contextmanager
    def _within(self, path: str) -> Iterator[None]:
        charge = self._charge
        try:
            yield
        except CrossfleetError as error:
            if error.reason == "NOT_LEADER" and not error.metadata.get("leader"):
                raise self._refusal() from error
            raise
        self._check_over(charge, charge.handlers.get(path))

    def _check_over(self, charge: Answerers, handler: Handler | None) -> None:
        if charge.over and handler is not None and handler.response_streaming:
            raise self._refusal()


class _Service(grpc.ServiceRpcHandler):
    """The methods of one service, looked up anew for each call."""

    def __init__(self, name: str, find: Callable[[str], Handler | None]) -> None:
        self._name = name
        self._find = find

    def service_name(self) -> str:
        """Its full name."""
        return self._name

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call; none for a method of another service, or that nobody knows."""
        path = str(handler_call_details.method)
        return self._find(path) if path.startswith(f"/{self._name}/") else None
