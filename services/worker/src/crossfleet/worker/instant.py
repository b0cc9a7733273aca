"""Executing the tasks of runners that need no process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from crossfleet.api.types.v1.result_pb2 import CAUSE_DONE
from crossfleet.api.types.v1.suite_pb2 import Suite
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.worker.core.holdings import Holding, Task
from crossfleet.worker.core.link import Link
from crossfleet.worker.runners.runner import AgentRunner
from crossfleet.worker.translate import facts, upward


@dataclass(frozen=True, slots=True)
class Instant:
    """One allocation of such a runner."""

    runner: AgentRunner
    suite: Suite
    known_digest: str
    cases_left_out: int = 0

    def collect(self, link: Link, allocation: str) -> None:
        """Tell the cases, unless the coordinator has them. Raises InvalidArgument where the suite has none."""
        if self.cases_left_out:
            return
        ids = self.runner.collect(self.suite)
        line = {
            "allocation": allocation,
            "digest": hashlib.sha256("\0".join(ids).encode()).hexdigest(),
            "cases": [{"id": case} for case in ids],
        }
        for piece in upward.collected(line, self.known_digest):
            link.say(wire.WorkerMessage(collected=piece), allocation=allocation)

    def execute(self, link: Link, holding: Holding, tasks: Iterable[Task]) -> None:
        """Execute tasks: results, ends, and what is wanted next."""
        idle = []
        for task in tasks:
            for case in task.cases:
                link.result(task.attempt, self.runner.execute(self.suite, case))
            link.finished(task.attempt, wire.AttemptFinished(attempt_id=task.attempt, cause=CAUSE_DONE))
            if not task.last:
                idle.append(task.slot)
        if idle:
            holding.wanting.update(idle)
            link.say(facts.want(holding.allocation, idle), allocation=holding.allocation)
