"""Runs a blocking function of a plugin without trusting it to return."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any


def in_thread(function: Callable[[], Any]) -> asyncio.Future[Any]:
    """The result of `function`, run in a daemon thread of its own.

    A pool would be blocked by calls that hang, and the interpreter would wait for them at its end.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = context.run(function)
        except StopIteration as error:  # a future cannot carry it
            failure = RuntimeError(repr(error))
        except BaseException as error:  # noqa: BLE001 - goes to the caller
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    threading.Thread(target=run, name="plugin-call", daemon=True).start()
    return future
