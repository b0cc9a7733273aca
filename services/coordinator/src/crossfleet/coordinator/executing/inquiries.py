"""Questions to workers about what their slots do, and the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert.orders import Message
from crossfleet.foundation.errors import QueueFull

ANSWER_SECONDS = 5.0
_MOST_OPEN = 100

Send = Callable[[str, Message], bool]
"""Sends one message to a worker; False: it has no session."""


@dataclass(slots=True)
class _Inquiry:
    waiting: dict[int, str]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    found: list[worker_pb2.Inspected] = field(default_factory=list)


class Inquiries:
    """Each question has a number; an answer to one that nobody waits for any more is dropped."""

    def __init__(self, send: Send) -> None:
        """Nothing asked yet."""
        self._send = send
        self._next = 1
        self._open: dict[int, _Inquiry] = {}

    async def ask(
        self, attempts: Mapping[int, str], *, stacks: bool = False, places: Sequence[int] = ()
    ) -> tuple[list[worker_pb2.Inspected], list[str]]:
        """What attempts (each with its worker) are executing, and the workers that did not answer. Raises QueueFull."""
        if len(self._open) >= _MOST_OPEN:
            raise QueueFull("too many inspections at a time", retry_after=1.0, queue="inspections", limit=_MOST_OPEN)
        number, self._next = self._next, self._next + 1
        inquiry = self._open[number] = _Inquiry(dict(attempts))
        try:
            silent = {
                worker for worker in set(attempts.values()) if not self._ask(number, worker, inquiry, stacks, places)
            }
            for attempt in [attempt for attempt, worker in attempts.items() if worker in silent]:
                del inquiry.waiting[attempt]
            if inquiry.waiting:
                try:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await inquiry.done.wait()
                except TimeoutError:
                    silent.update(inquiry.waiting.values())
            return inquiry.found, sorted(silent)
        finally:
            del self._open[number]

    def answered(self, worker_id: str, message: worker_pb2.Inspected) -> None:
        """A worker answers. What it was not asked for is left out."""
        inquiry = self._open.get(message.request_id)
        if inquiry is None or inquiry.waiting.get(message.attempt_id) != worker_id:
            return
        del inquiry.waiting[message.attempt_id]
        if message.executing:
            inquiry.found.append(message)
        if not inquiry.waiting:
            inquiry.done.set()

    def _ask(self, number: int, worker: str, inquiry: _Inquiry, stacks: bool, places: Iterable[int]) -> bool:
        attempts = [attempt for attempt, where in inquiry.waiting.items() if where == worker]
        order = worker_pb2.Inspect(request_id=number, attempt_ids=attempts, stacks=stacks, output_places=places)
        return self._send(worker, Message(inspect=order))
