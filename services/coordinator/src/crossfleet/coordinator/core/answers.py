"""What the machine answers to commands, beside the facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """To SubmitRun and StopRun: the run, and whether this command changed anything."""

    run_id: str
    changed: bool


@dataclass(frozen=True, slots=True)
class HelloAnswer:
    """To WorkerHello. What of the held is kept, which held attempts to cancel.

    `undelivered` are attempts of kept allocations that the worker did not name: they ended meanwhile (then its journal
    says so), or never arrived. Send AttemptsMissing for those that the journal did not end.
    """

    keep: tuple[str, ...]
    cancel: tuple[int, ...]
    undelivered: tuple[int, ...]
    drained: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal that was not committed; `index` in ApplyPlan.allocate, `reason` the name of an ErrorReason.

    `excused`: it could hold by what its scheduler knew, but for what else the same plan brought about.
    """

    index: int
    reason: str
    text: str
    excused: bool = False


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """To ApplyPlan. `accepted` are allocation ids, `unfed` groups of which slots may have got no work yet."""

    plan_id: str
    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...]
    unfed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """To WorkerReport: attempts whose results no longer count; the worker is to cancel them."""

    stale: tuple[int, ...]


Answer = RunAnswer | HelloAnswer | PlanAnswer | ReportAnswer | None
