"""What a cycle costs as it is served: the update is read, the session plans, the plan is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from benchmarks.measuring import middle
from benchmarks.planning.load import Sizes, rows
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.matching.messages import portion_messages
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler import convert
from crossfleet.scheduler.core.model import Delta, Group, Plan, Policy
from crossfleet.scheduler.core.session import Outcome, Session

_NOW = 2000.0
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Parts:
    """CPU seconds of one update with its plan."""

    read: float
    planned: float
    written: float


class Served:
    """A session that hears messages, and a coordinator that commits all that it proposes."""

    def __init__(self, sizes: Sizes) -> None:
        """Everything that fits is placed."""
        start = rows(sizes)
        self._session = Session(Policy(), Selectors())
        self._session.replace(start, 1)
        self._rows: dict[str, Group] = {one.id: one for one in start.groups}
        self._wanted = {one.id: one.wanted_slots for one in start.groups}
        self._held: list[str] = []
        self._random = Random(1)
        self._numbers, self._revision = 0, 1
        self._plan_id, self._plan = self._session.plan(_NOW)
        self.commit()

    def complete(self, count: int) -> Parts:
        """So many allocations end."""
        self._random.shuffle(self._held)
        self._held, ended = self._held[count:], self._held[:count]
        return self._told(scheduler_pb2.Delta(removed_allocation_ids=ended), [])

    def commit(self) -> Parts:
        """What the last plan proposed was committed: allocations, and groups that want less."""
        delta, outcome = scheduler_pb2.Delta(), scheduler_pb2.PlanOutcome(plan_id=self._plan_id)
        for one in self._plan.allocate:
            self._numbers += 1
            name = f"a{self._numbers}"
            self._held.append(name)
            outcome.accepted_allocation_ids.append(name)
            delta.allocations.add(
                allocation_id=name,
                group_id=one.group_id,
                worker_id=one.worker_id,
                slots=one.slots,
                device_ids=one.device_ids,
                portions=portion_messages(one.portions),
            )
            self._wanted[one.group_id] -= one.slots
        delta.groups.extend(self._group(one) for one in {one.group_id: None for one in self._plan.allocate})
        return self._told(delta, [outcome])

    def _told(self, delta: scheduler_pb2.Delta, outcomes: list[scheduler_pb2.PlanOutcome]) -> Parts:
        self._revision += 1
        wire = scheduler_pb2.ScheduleRequest(
            revision=self._revision, delta=delta, outcomes=outcomes, now_unix_seconds=_NOW
        ).SerializeToString()

        def read() -> tuple[Delta, tuple[Outcome, ...]]:
            update = scheduler_pb2.ScheduleRequest.FromString(wire)
            return convert.delta_from(update.delta), convert.outcomes_from(update.outcomes)

        (changes, heard), reading = _timed(read)

        def plan() -> tuple[str, Plan]:
            self._session.update(changes, self._revision)
            for one in heard:
                self._session.answer(one, _NOW)
            return self._session.plan(_NOW)

        (self._plan_id, self._plan), planning = _timed(plan)
        _, writing = _timed(lambda: convert.plan_message(self._plan_id, self._plan).SerializeToString())
        return Parts(reading, planning, writing)

    def _group(self, group_id: str) -> scheduler_pb2.TaskGroup:
        group = self._rows[group_id]
        row = scheduler_pb2.TaskGroup(
            group_id=group.id,
            run_id=group.run_id,
            project=group.project,
            target=group.target,
            selector=group.request.selector,
            priority=group.priority,
            submitted_unix_seconds=group.submitted_at,
            remaining_cases=group.remaining_cases,
            collected=group.collected,
            estimated_seconds=group.estimated_seconds,
            wanted_slots=self._wanted[group_id],
            runner=group.request.runner,
        )
        row.request.cpu_cores, row.request.memory_bytes = group.request.cpu_cores, group.request.memory_bytes
        for one in group.request.devices:
            row.request.devices.add(device_class=one.device_class, selector=one.selector, count=one.count)
        return row


def print_served(sizes: Sizes, cycles: int) -> None:
    """Two lines: an update that tells of completions and its plan, and the one after it, which tells what was committed."""
    served = Served(sizes)
    pairs = [(served.complete(100), served.commit()) for _ in range(cycles)]
    print(f"  {'as it is served (median of each part)':44}{'read':>9}{'planned':>11}{'written':>11}")
    for name, number in (("a hundred completions", 0), ("what was committed then", 1)):
        parts = [pair[number] for pair in pairs]
        read, planned, written = (
            middle([getattr(one, part) for one in parts]) * 1e3 for part in ("read", "planned", "written")
        )
        print(f"  {name:44}{read:6.2f} ms{planned:8.2f} ms{written:8.2f} ms")


def _timed(work: Callable[[], _Made]) -> tuple[_Made, float]:
    begun = time.process_time()
    made = work()
    return made, time.process_time() - begun
