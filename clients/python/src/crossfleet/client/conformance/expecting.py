"""What is expected of a scheduler within a step: small predicates over what was seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import (
    WAITING_KIND_LATER,
    WAITING_KIND_NEVER,
    ProposedAllocation,
    ScheduleResponse,
    Waiting,
)
from crossfleet.client.conformance.rows import Holding
from crossfleet.client.conformance.truth import Truth


@dataclass
class Seen:
    """What came in a step, and what stands: committed allocations and the newest reason of each group that waits.

    `told` is the revision of the step's own update, `newest` of the last one that was sent; `seconds` how long the first
    proposal of the step took.
    """

    truth: Truth = field(default_factory=Truth)
    plans: list[ScheduleResponse] = field(default_factory=list)
    reasons: dict[str, Waiting] = field(default_factory=dict)
    told: int = 0
    newest: int = 0
    seconds: float | None = None
    ended: bool = False

    def proposals(self) -> list[ProposedAllocation]:
        """All that were proposed in the step, held or not."""
        return [one for plan in self.plans for one in plan.allocate]

    def held(self, group_id: str) -> list[Holding]:
        """What a group holds."""
        return self.truth.held(group_id)


class Expectation(Protocol):
    """Something that is waited for, and that must hold as the step ends."""

    def unmet(self, seen: Seen) -> str:
        """What is expected and is not so; empty where it is."""
        ...


@dataclass(frozen=True)
class Holds:
    """A group holds `least` to `most` slots (`most` 0: exactly `least`)."""

    group_id: str
    least: int
    most: int = 0

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        slots = sum(one.slots for one in seen.held(self.group_id))
        if self.least <= slots <= max(self.least, self.most):
            return ""
        wanted = f"{self.least} to {self.most}" if self.most > self.least else f"{self.least}"
        return f"{self.group_id} is to hold {wanted} slots, and holds {slots}"


@dataclass(frozen=True)
class Together:
    """Several groups hold so many slots together, whoever has them."""

    group_ids: tuple[str, ...]
    slots: int

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        slots = sum(one.slots for group_id in self.group_ids for one in seen.held(group_id))
        named = f"{self.group_ids[0]} to {self.group_ids[-1]}" if len(self.group_ids) > 1 else self.group_ids[0]
        return "" if slots == self.slots else f"{named} are to hold {self.slots} slots together, and hold {slots}"


@dataclass(frozen=True)
class Only:
    """What a group holds is on these workers."""

    group_id: str
    workers: tuple[str, ...]

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        others = sorted({one.worker_id for one in seen.held(self.group_id)} - set(self.workers))
        return f"{self.group_id} is to be on {', '.join(self.workers)}, and is on {', '.join(others)}" if others else ""


@dataclass(frozen=True)
class Nothing:
    """Nothing is proposed on the step's update or a newer one: for one group, or at all."""

    group_id: str = ""

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        newest = (plan for plan in seen.plans if plan.base_revision >= seen.told)
        for one in (proposal for plan in newest for proposal in plan.allocate):
            if self.group_id in ("", one.group_id):
                return (
                    f"nothing is to be proposed{' for ' + self.group_id if self.group_id else ''}, and "
                    f"{one.slots} slots of {one.worker_id} are for {one.group_id}"
                )
        return ""


@dataclass(frozen=True)
class Proposed:
    """So many slots were proposed for a group in the step; `most` 0: exactly `least`."""

    group_id: str
    least: int
    most: int = 0

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        slots = sum(one.slots for one in seen.proposals() if one.group_id == self.group_id)
        if self.least <= slots <= max(self.least, self.most):
            return ""
        return (
            f"{self.least} to {max(self.least, self.most)} slots are to be proposed for {self.group_id}; it was {slots}"
        )


@dataclass(frozen=True)
class Seldom:
    """No worker is proposed for a group more often than `most` times in the step."""

    group_id: str
    most: int

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        counts: dict[str, int] = {}
        for one in seen.proposals():
            if one.group_id == self.group_id:
                counts[one.worker_id] = counts.get(one.worker_id, 0) + 1
        name = max(counts, key=counts.__getitem__, default="")
        if counts.get(name, 0) <= self.most:
            return ""
        return f"{name} is to be proposed at most {self.most} times for {self.group_id}, and was {counts[name]} times"


@dataclass(frozen=True)
class Waits:
    """It was said why a group waits; `kind` 0: in any kind."""

    group_id: str
    kind: int = 0

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        reason = seen.reasons.get(self.group_id)
        wanted = {WAITING_KIND_NEVER: "NEVER", WAITING_KIND_LATER: "LATER"}.get(self.kind, "any kind")  # type: ignore[call-overload]
        if reason is None:
            return f"a reason of {wanted} is to be told for {self.group_id}, and there is none"
        if self.kind and reason.kind != self.kind:
            return f"the reason of {self.group_id} is to be {wanted}, and is the other: {reason.code!r} {reason.text!r}"
        if not (reason.code and reason.text):
            return f"the reason of {self.group_id} is to have a code and a text: {reason.code!r} {reason.text!r}"
        return ""


@dataclass(frozen=True)
class NotForgotten:
    """A group holds something, or it was said why it waits."""

    group_id: str

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        if seen.held(self.group_id) or self.group_id in seen.reasons:
            return ""
        return f"{self.group_id} could be placed; nothing is proposed for it, and no reason is told"


@dataclass(frozen=True)
class NotNever:
    """Nobody said that a group can never be placed."""

    group_id: str

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        reason = seen.reasons.get(self.group_id)
        if reason is None or reason.kind != WAITING_KIND_NEVER:
            return ""
        return f"{self.group_id} can be placed, and NEVER is told ({reason.code}: {reason.text}): its run fails"


@dataclass(frozen=True)
class AsksForSnapshot:
    """A snapshot was asked for in the step."""

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        asked = any(plan.request_snapshot for plan in seen.plans)
        return "" if asked else "a plan with request_snapshot is to come, and none came"


@dataclass(frozen=True)
class BasedOnIt:
    """A plan names the revision of the step's update, or a newer one."""

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        bases = [plan.base_revision for plan in seen.plans]
        if any(base >= seen.told for base in bases):
            return ""
        return f"a plan is to be based on revision {seen.told}, and there is {bases or 'none'}"


@dataclass(frozen=True)
class Within:
    """The first proposal of the step came within so many seconds."""

    limit: float

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        if seen.seconds is not None and seen.seconds <= self.limit:
            return ""
        took = "none came" if seen.seconds is None else f"it took {seen.seconds:.2f} s"
        return f"a proposal is to come within {self.limit:g} s, and {took}"


@dataclass(frozen=True)
class FewPlans:
    """At most so many plans came in the step."""

    most: int

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        came = len(seen.plans)
        return "" if came <= self.most else f"at most {self.most} plans are to come, and {came} did"


@dataclass(frozen=True)
class NoRevocations:
    """Nothing was taken back in the step."""

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        revoked = [one for plan in seen.plans for one in plan.revoke_allocation_ids]
        return f"nothing is to be taken back, and {', '.join(revoked)} is" if revoked else ""


@dataclass(frozen=True)
class TakenBack:
    """These allocations were taken back in the step, and no others."""

    allocation_ids: tuple[str, ...]

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        revoked = {one for plan in seen.plans for one in plan.revoke_allocation_ids}
        if revoked == set(self.allocation_ids):
            return ""
        return f"{', '.join(self.allocation_ids)} is to be taken back, and {', '.join(sorted(revoked)) or 'nothing'} is"


@dataclass(frozen=True)
class Ends:
    """The scheduler ended the stream after the coordinator had closed its side."""

    def unmet(self, seen: Seen) -> str:
        """As the class says."""
        return "" if seen.ended else "the stream is to end once the coordinator has closed its side, and it is open"
