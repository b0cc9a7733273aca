"""One stream's memory: the snapshot, what was proposed and not answered, and what was refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from crossfleet.matching.model import WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Plan, Policy, Proposal
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.refusals import Refusals
from crossfleet.scheduler.core.snapshot import Snapshot

_HOUR = 3600.0


@dataclass(frozen=True)
class Outcome:
    """The coordinator's answer to a plan: the indexes of the proposals that it refused."""

    plan_id: str
    refused: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Basis:
    """What a proposal rested on. If that has changed since, a refusal of it says nothing of the next one."""

    wanted: int
    worker: WorkerView | None
    held: frozenset[str]


@dataclass(frozen=True)
class _Sent:
    proposals: tuple[Proposal, ...]
    bases: tuple[_Basis, ...]
    at: float


class Gap(Exception):
    """A delta does not continue the revision that is known: only a snapshot helps."""


class Session:
    """Feeds updates into a snapshot and plans on the newest. Pure but for its own memory."""

    def __init__(self, policy: Policy, selectors: Selectors) -> None:
        """Wait for the first snapshot."""
        self._policy = policy
        self._planner = Planner(policy, selectors)
        self._snapshot: Snapshot | None = None
        self._sent: dict[str, _Sent] = {}
        self._refused = Refusals(policy.refusal_seconds)
        self._revoked: list[float] = []
        self._planned_at = inf
        self._plans = 0

    @property
    def revision(self) -> int:
        """The newest revision known; -1 before the first snapshot."""
        return -1 if self._snapshot is None else self._snapshot.revision

    def due(self, now: float) -> float | None:
        """When the next unanswered proposal or refusal is forgotten, or patience ends, by the leader's clock.

        It may be past: what ended while the last plan was made, that plan did not know of.
        """
        known = min(now, self._planned_at)
        times = [sent.at + self._policy.pending_seconds for sent in self._sent.values()]
        patience = self._planner.due(known)
        return min([*times, *self._refused.ends(known), *([] if patience is None else [patience])], default=None)

    def replace(self, rows: Delta, revision: int) -> None:
        """Take over a full snapshot. Unanswered proposals stay: their outcome is still to come."""
        before = self._snapshot
        self._snapshot = Snapshot.of(rows, revision)
        if before is None:
            return
        self._refused.forgive(frozenset(), before.groups.keys() - self._snapshot.groups.keys())
        for allocation in before.proposed.values():
            self._snapshot.propose(allocation)
        _settle_arrived(self._snapshot, [one for one in rows.allocations if one.id not in before.allocations])

    def update(self, delta: Delta, revision: int) -> None:
        """Take over a delta. Raises Gap, with nothing taken over."""
        if self._snapshot is None or revision != self._snapshot.revision + 1:
            raise Gap(f"revision {revision} does not follow {self.revision}")
        arrived = [one for one in delta.allocations if one.id not in self._snapshot.allocations]
        rewished = {one.id for one in delta.groups if _rewished(self._snapshot.groups.get(one.id), one)}
        freed = [self._snapshot.allocations.get(one) for one in delta.removed_allocations]
        freed += [self._snapshot.allocations.get(one.id) for one in delta.allocations if _smaller(self._snapshot, one)]
        self._snapshot.apply(delta, revision)
        _settle_arrived(self._snapshot, arrived)
        workers = {one.worker_id for one in freed if one}
        workers.update(*map(self._snapshot.neighbours, workers if self._snapshot.crowded else ()))
        workers.update(delta.removed_workers, [one.name for one in delta.workers])
        self._refused.forgive(workers, rewished.union(delta.removed_groups))

    def answer(self, outcome: Outcome, now: float) -> None:
        """Take over what became of a plan."""
        sent = self._sent.pop(outcome.plan_id, None)
        if sent is None or self._snapshot is None:
            return
        for index, (proposal, basis) in enumerate(zip(sent.proposals, sent.bases, strict=True)):
            self._snapshot.settle(_id(outcome.plan_id, index))
            if index in outcome.refused and basis == _basis(self._snapshot, proposal):
                self._refused.add(proposal.group_id, proposal.worker_id, now)

    def plan(self, now: float) -> tuple[str, Plan]:
        """Plan on the newest revision; what is proposed counts as held from here on. Needs a snapshot."""
        snapshot = self._snapshot
        if snapshot is None:
            raise Gap("no snapshot has come yet")
        self._expire(snapshot, now)
        self._planned_at = now
        self._revoked = [at for at in self._revoked if at > now - _HOUR]
        preempt = len(self._revoked) < self._policy.preemptions_per_hour
        made = self._planner.plan(snapshot, now, self._refused.standing(now), preempt=preempt)
        snapshot.revoked.update(made.revoke)
        self._revoked += [now] * len(made.revoke)
        self._plans += 1
        plan_id = f"plan-{self._plans}"
        if made.allocate:
            self._sent[plan_id] = _Sent(made.allocate, tuple(_basis(snapshot, one) for one in made.allocate), now)
        for index, one in enumerate(made.allocate):
            ids, portions = one.device_ids, one.portions
            mine = Allocation(_id(plan_id, index), one.group_id, one.worker_id, one.slots, ids, portions=portions)
            snapshot.propose(mine)
        return plan_id, made

    def _expire(self, snapshot: Snapshot, now: float) -> None:
        limit = now - self._policy.pending_seconds
        for plan_id in [plan_id for plan_id, sent in self._sent.items() if sent.at <= limit]:
            for index in range(len(self._sent.pop(plan_id).proposals)):
                snapshot.settle(_id(plan_id, index))


def _settle_arrived(snapshot: Snapshot, arrived: Iterable[Allocation]) -> None:
    """A committed allocation replaces the proposal that asked for it, even if its outcome comes later."""
    for one in arrived:
        for held in snapshot.held_on(one.worker_id):
            if held.group_id == one.group_id and held.id in snapshot.proposed:
                snapshot.settle(held.id)
                break


def _smaller(snapshot: Snapshot, allocation: Allocation) -> bool:
    """Whether it has given back single slots."""
    before = snapshot.allocations.get(allocation.id)
    return before is not None and before.slots > allocation.slots


def _basis(snapshot: Snapshot, proposal: Proposal) -> _Basis:
    group = snapshot.groups.get(proposal.group_id)
    held = (one.id for one in snapshot.held_on(proposal.worker_id) if one.id not in snapshot.proposed)
    return _Basis(group.wanted_slots if group else 0, snapshot.workers.get(proposal.worker_id), frozenset(held))


def _rewished(before: Group | None, group: Group) -> bool:
    return before is not None and (before.wanted_slots, before.request) != (group.wanted_slots, group.request)


def _id(plan_id: str, index: int) -> str:
    return f"{plan_id}/{index}"
