"""Answering CheckHealth: repair where that is asked for, then the test, and what came of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.repair import Repair, Repaired
from crossfleet.worker.selftest import Finding, SelfTest

_MOST_ANSWERS = 64


class Checkup:
    """One test at a time. A request that is asked for again gets the same answer, or goes on."""

    def __init__(self, test: SelfTest, repair: Repair, say: Callable[[wire.WorkerMessage], None]) -> None:
        """`say` sends a message that may get lost."""
        self._test = test
        self._repair = repair
        self._say = say
        self._answers: dict[tuple[str, int], wire.HealthChecked] = {}
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._alone = asyncio.Lock()

    def check(self, order: wire.CheckHealth) -> None:
        """Begin, beside everything else."""
        key = (order.device_id, order.request)
        if key in self._answers:
            self._say(wire.WorkerMessage(health_checked=self._answers[key]))
        elif key not in self._running:
            task = self._running[key] = asyncio.ensure_future(self._carry_out(order))
            task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _carry_out(self, order: wire.CheckHealth) -> None:
        async with self._alone:
            repaired = await self._repair.run(order.cause, order.device_id) if order.repair else None
            found = await (self._test.device(order.device_id) if order.device_id else self._test.host())
        answer = checked(order, found, repaired)
        level = get_logger().info if answer.good else get_logger().warning
        bad = [f"{one.name}: {one.text}" for one in found if not one.good]
        level("the fleet asked for a test", cause=order.cause, good=answer.good, bad=bad)
        self._answers[order.device_id, order.request] = answer
        while len(self._answers) > _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._say(wire.WorkerMessage(health_checked=answer))


def checked(order: wire.CheckHealth, found: Sequence[Finding], repaired: Repaired | None) -> wire.HealthChecked:
    """The answer as it is sent."""
    answer = wire.HealthChecked(
        request=order.request,
        device_id=order.device_id,
        good=all(one.good for one in found),
        findings=[wire.HealthFinding(name=one.name, good=one.good, text=one.text) for one in found],
    )
    if repaired is not None:
        answer.repair.exit_status, answer.repair.seconds = repaired.exit_status, repaired.seconds
        answer.repair.output = repaired.output
    return answer
