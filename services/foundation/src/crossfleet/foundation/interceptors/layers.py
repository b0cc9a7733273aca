"""One grpc.aio interceptor that enters a stack of layers around each call.

A layer is a context manager and not an interceptor of its own: the messages of a stream pass through one generator
however many layers there are, and a layer sees every exception of the handler, also in mid-stream.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from crossfleet.foundation.logs import get_logger

if TYPE_CHECKING:
    _MethodHandler = grpc.RpcMethodHandler[Any, Any]
else:
    _MethodHandler = grpc.RpcMethodHandler  # generic in the stubs only


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a layer sees it. `metadata` keeps the last value of a repeated key."""

    service: str
    method: str
    peer: str
    metadata: Mapping[str, str | bytes]


class Layer(Protocol):
    """Enters before the handler, leaves after its last message; what it raises goes to the caller as an error."""

    def __call__(self, call: Call) -> AbstractContextManager[None]:
        """The context in which this call is served."""
        ...


Abort = Callable[[grpc.aio.ServicerContext[Any, Any], Call, BaseException], Awaitable[None]]
"""Ends a call with the status of an exception; always raises."""


class LayeredInterceptor(grpc.aio.ServerInterceptor):
    """Serves each call inside `layers`, the first one outermost, and turns what they or the handler raise into a status."""

    def __init__(self, layers: Sequence[Layer], abort: Abort) -> None:
        self._layers = tuple(layers)
        self._abort = abort
        self._wrapped: dict[str, _Handler] = {}  # by method; only methods that exist

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method's handler with its behaviour wrapped; unknown methods stay unknown."""
        handler = await continuation(handler_call_details)
        if handler is None:  # unknown method: grpc answers UNIMPLEMENTED itself
            return handler
        known = self._wrapped.get(handler_call_details.method)
        if known is None or known.original is not handler:
            known = self._wrap(handler, handler_call_details.method)
            self._wrapped[handler_call_details.method] = known
        return known

    def _wrap(self, handler: grpc.RpcMethodHandler[Any, Any], path: str) -> _Handler:
        service, _, method = path.removeprefix("/").rpartition("/")
        wrapped = _Handler(handler)
        if handler.unary_unary is not None:
            wrapped.unary_unary = self._unary(handler.unary_unary, service, method)
        elif handler.stream_unary is not None:
            wrapped.stream_unary = self._unary(handler.stream_unary, service, method)
        elif handler.unary_stream is not None:
            wrapped.unary_stream = self._streaming(handler.unary_stream, service, method)
        elif handler.stream_stream is not None:
            wrapped.stream_stream = self._streaming(handler.stream_stream, service, method)
        return wrapped

    def _unary(self, behaviour: Callable[..., Any], service: str, method: str) -> Callable[..., Awaitable[Any]]:
        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            call = _call(service, method, context)
            try:
                with ExitStack() as stack:
                    for layer in self._layers:
                        stack.enter_context(layer(call))
                    return await behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not reach the caller as it is
                await self._end(context, call, error)

        return serve

    def _streaming(self, behaviour: Callable[..., Any], service: str, method: str) -> Callable[..., Any]:
        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            call = _call(service, method, context)
            try:
                with ExitStack() as stack:
                    for layer in self._layers:
                        stack.enter_context(layer(call))
                    answers = behaviour(request, context)
                    if inspect.isawaitable(answers):  # a handler that writes to the context
                        await answers
                        return
                    async for answer in answers:
                        yield answer
            except Exception as error:  # noqa: BLE001 - as above
                await self._end(context, call, error)

        return serve

    async def _end(self, context: grpc.aio.ServicerContext[Any, Any], call: Call, error: Exception) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        task = asyncio.current_task()
        # The caller is gone (seen: grpc.aio cancels the task, and the context does not tell): nobody to answer.
        if context.done() or (task is not None and task.cancelling()):
            get_logger().debug(
                "a call failed after its end", service=call.service, method=call.method, error=str(error)
            )
            raise asyncio.CancelledError from error
        await self._abort(context, call, error)


def _call(service: str, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Call:
    return Call(service, method, context.peer(), dict(context.invocation_metadata() or ()))


class _Handler(_MethodHandler):
    """A handler like another one, with its behaviours still to be set."""

    def __init__(self, like: grpc.RpcMethodHandler[Any, Any]) -> None:
        self.original = like
        self.request_streaming = like.request_streaming
        self.response_streaming = like.response_streaming
        self.request_deserializer = like.request_deserializer
        self.response_serializer = like.response_serializer
        self.unary_unary = None
        self.unary_stream = None
        self.stream_unary = None
        self.stream_stream = None
