"""What goes down to one worker: bounded, and batched by whatever gathered while the last message was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from crossfleet.api.worker.v1.worker_service_pb2 import ConnectResponse, CoordinatorMessage
from crossfleet.foundation.errors import CrossfleetError, QueueFull

_MOST = 20_000
_BATCH = 2_000


class Outbox:
    """One consumer, any number of producers on the same loop."""

    def __init__(self, most: int = _MOST) -> None:
        """Holds at most `most` messages; one more ends the session, and the next Hello brings all of it again."""
        self._most = most
        self._waiting: list[CoordinatorMessage] = []
        self._acknowledged = 0
        self._beaten = False
        self._wake = asyncio.Event()
        self._error: CrossfleetError | None = None
        self._closed = False

    def put(self, messages: Iterable[CoordinatorMessage]) -> None:
        """Queues messages; on overflow the outbox fails and its session ends."""
        if self._closed:
            return
        self._waiting.extend(messages)
        if len(self._waiting) > self._most:
            self._waiting.clear()
            self.close(
                QueueFull("the worker does not read: connect again", retry_after=1.0, queue="session", limit=self._most)
            )
        self._wake.set()

    def acknowledge(self, sequence: int) -> None:
        """Queues the acknowledgement of everything up to `sequence`; only the highest is sent.

        Nothing is acknowledged after a close: an earlier report may be what it was closed for.
        """
        if not self._closed and sequence > self._acknowledged:
            self._acknowledged = sequence
            self._wake.set()

    def beat(self) -> None:
        """Lets something go down soon, if only an empty message: the worker wants to know that somebody is here."""
        self._beaten = True
        self._wake.set()

    def close(self, error: CrossfleetError | None = None) -> None:
        """Ends `batches` after what is queued; with an error, by raising it."""
        if not self._closed:
            self._closed, self._error = True, error
            self._wake.set()

    async def batches(self) -> AsyncIterator[ConnectResponse]:
        """Batches until the outbox is closed."""
        while True:
            await self._wake.wait()
            # Orders follow a commit at once, the acknowledgement one turn of the loop later: they share a message.
            await asyncio.sleep(0)
            self._wake.clear()
            while self._waiting or self._acknowledged or self._beaten:
                self._beaten = False
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                response = ConnectResponse(messages=batch)
                if self._acknowledged:
                    response.messages.add().acknowledge.sequence = self._acknowledged
                    self._acknowledged = 0
                yield response
            if self._closed:
                break
        if self._error is not None:
            raise self._error
