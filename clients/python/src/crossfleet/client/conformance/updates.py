"""Updates as the coordinator sends them: a snapshot, or what differs from what was told last."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import (
    Delta,
    PlanOutcome,
    ProjectShare,
    ScheduleRequest,
    Snapshot,
)
from crossfleet.client.conformance.truth import Truth

# Field 9000 as a number and 9001 as text: what a later version of the protocol may add to any message.
_LATER_FIELDS = bytes.fromhex("c0b20401cab204056c61746572")


def snapshot(truth: Truth) -> Snapshot:
    """All that there is."""
    return Snapshot(
        workers=truth.workers.values(),
        groups=[one.row for one in truth.groups.values()],
        allocations=[one.message() for one in truth.holdings.values()],
        shares=[ProjectShare(project=name, weight=weight) for name, weight in truth.shares.items()],
    )


def delta(before: Truth, now: Truth, strangers: Iterable[str] = ()) -> Delta:
    """What is new, changed or gone; `strangers` are named as gone too."""
    names = list(strangers)
    return Delta(
        workers=[one for name, one in now.workers.items() if before.workers.get(name) != one],
        removed_worker_ids=[*(before.workers.keys() - now.workers.keys()), *names],
        groups=[one.row for name, one in now.groups.items() if before.groups.get(name) != one],
        removed_group_ids=[*(before.groups.keys() - now.groups.keys()), *names],
        allocations=[one.message() for name, one in now.holdings.items() if before.holdings.get(name) != one],
        removed_allocation_ids=[*(before.holdings.keys() - now.holdings.keys()), *names],
        shares=[
            ProjectShare(project=name, weight=weight)
            for name, weight in now.shares.items()
            if before.shares.get(name) != weight
        ],
    )


def add_later_fields(update: ScheduleRequest) -> None:
    """Let the update and its rows hold fields that nobody knows yet."""
    rows = update.snapshot if update.HasField("snapshot") else update.delta
    messages: list[Message] = [*rows.workers, *rows.groups, *rows.allocations, rows, update]
    for one in messages:
        one.MergeFromString(_LATER_FIELDS)


def stray_outcome() -> PlanOutcome:
    """What became of a plan that nobody made."""
    return PlanOutcome(plan_id="a plan of nobody", accepted_allocation_ids=["a-of-nobody"])
