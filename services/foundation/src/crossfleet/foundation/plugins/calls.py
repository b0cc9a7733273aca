"""Calls to one plugin, bounded in time and number, behind a circuit breaker."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from grpc import StatusCode

from crossfleet.foundation.breaker import Breaker
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.installation import PluginFailed, PluginQuarantined
from crossfleet.foundation.errors.load import CircuitOpen, TooManyOpen
from crossfleet.foundation.plugins.threads import in_thread

_FAULTS = frozenset({StatusCode.INTERNAL, StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.DATA_LOSS})


class GuardedCalls:
    """The way of every call into one plugin."""

    def __init__(
        self, name: str, seconds: float, most: int, failures: int, reset_seconds: float, clock: Clock | None
    ) -> None:
        self.seconds = seconds
        self._name = name
        self._most = most
        self._open = 0
        self._last_error = ""
        self._make_breaker = functools.partial(
            Breaker, name, failures=failures, reset_seconds=reset_seconds, clock=clock
        )
        self._breaker = self._make_breaker()

    @property
    def open_because(self) -> str:
        """The last error while the circuit is not closed; "" while it is."""
        return "" if self._breaker.state == "closed" else self._last_error

    def reset(self) -> None:
        """Forgets failures: the plugin was made anew."""
        self._breaker = self._make_breaker()
        self._last_error = ""

    async def call(
        self, instance: Any, method: str, arguments: Sequence[Any], named: Mapping[str, Any], seconds: float | None
    ) -> Any:
        """One call. Raises PluginFailed, PluginQuarantined, TooManyOpen, or the plugin's own CrossfleetError."""
        if self._open >= self._most:
            raise TooManyOpen(f"{self._most} calls to {self._name} are open", what=self._name, limit=self._most)
        limit = self.seconds if seconds is None else seconds
        try:
            refusal: CrossfleetError | None = None
            with self._breaker.guard():
                try:
                    return await self._run(instance, method, arguments, named, limit)
                except CrossfleetError as error:
                    if error.code in _FAULTS:
                        raise
                    refusal = error  # a considered answer: the plugin works
            raise refusal
        except CircuitOpen as error:
            raise PluginQuarantined(
                f"{self._name} is not called for a while, after: {self._last_error}",
                retry_after=error.retry_after,
                plugin=self._name,
                cause=self._last_error,
            ) from error
        except CrossfleetError as error:
            self._last_error = str(error)
            raise
        except TimeoutError as error:
            self._last_error = f"{method} did not answer within {limit} s"
            raise PluginFailed(f"{self._name}: {self._last_error}", plugin=self._name) from error
        except Exception as error:
            self._last_error = f"{method} raised {type(error).__name__}: {error}"
            raise PluginFailed(f"{self._name}: {self._last_error}", plugin=self._name) from error

    async def _run(
        self, instance: Any, method: str, arguments: Sequence[Any], named: Mapping[str, Any], limit: float
    ) -> Any:
        function = getattr(instance, method)
        self._open += 1
        work: asyncio.Future[Any]
        if inspect.iscoroutinefunction(function):
            work = asyncio.ensure_future(function(*arguments, **named))
        else:
            work = in_thread(functools.partial(function, *arguments, **named))
        # Counted down when the work itself ends: a thread that hangs after its time limit stays in the count.
        work.add_done_callback(self._ended)
        done, _ = await asyncio.wait({work}, timeout=limit)
        if not done:
            if isinstance(work, asyncio.Task):
                work.cancel()
            raise TimeoutError
        return work.result()

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self._open -= 1
        if not work.cancelled():
            work.exception()  # seen: a late failure of a call that was given up is nobody's
