"""What a scheduler proposes, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core.answers import PlanAnswer, Refusal
from crossfleet.coordinator.core.commands import ApplyPlan
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.plan_parts import rest
from crossfleet.coordinator.core.revocations import MOST_WASTED, WINDOW_SECONDS, Revocations
from crossfleet.coordinator.scheduling.conduct import Conduct
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.heard import HeardPlan, HeardPlans
from crossfleet.coordinator.scheduling.losses import Losses
from crossfleet.coordinator.scheduling.sight import Sight, own_part
from crossfleet.coordinator.scheduling.teller import Teller
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import PlanInvalid, Unavailable
from crossfleet.foundation.logs import get_logger

_SUPERSEDED = "SCHEDULER_SUPERSEDED"
_WASTE_LOG_SECONDS = 10.0


class Hearer:
    """Commits what of the plans of one scheduler holds, and has the rest told to it."""

    def __init__(
        self,
        teller: Teller,
        figures: SchedulerFigures,
        state: Callable[[], State],
        commit: Commit,
        sight: Sight | None,
        conduct: Conduct,
        losses: Losses | None,
        clock: Clock,
    ) -> None:
        """`sight`: for which groups the scheduler decides; None: for all. `losses` counts what came to nothing."""
        self._teller, self._figures = teller, figures
        self._state, self._commit = state, commit
        self._sight, self._conduct, self._losses = sight, conduct, losses
        self._clock = clock
        self._revocations = Revocations()
        self._waste_told_at = -inf
        self._plans = HeardPlans(self._urgency)
        self._log = get_logger()

    def begin(self) -> None:
        """A new stream: plans of an earlier one are forgotten."""
        self._plans.clear()

    @property
    def committing(self) -> bool:
        """Whether something that it proposed or said is not committed yet."""
        return bool(self._plans)

    async def hear(self, call: Any) -> None:
        """Takes plans until the stream ends. Raises how it ended, and PlanInvalid."""
        async for message in call:
            if message is None:  # what gRPC makes of bytes that are no message
                raise PlanInvalid("what it sent is no plan")
            self._conduct.heard(message)
            self._figures.plans += 1
            self._teller.kept_waiting = bool(message.waiting)
            if message.request_snapshot:
                self._teller.everything()
            if len(message.allocate) > plans.MOST_ITEMS:
                self._log.warning(
                    "a plan is too long: the rest is left out", proposals=len(message.allocate), taken=plans.MOST_ITEMS
                )
            if message.allocate or message.revoke_allocation_ids or message.waiting:
                await self._plans.put(message)
        await self._plans.settled()
        raise Unavailable("the scheduler ended the stream", address=self._figures.address)

    async def commit_plans(self) -> None:
        """Commits what is heard, part by part, until cancelled. Raises what a refused command raises."""
        while True:
            plan = await self._plans.next()
            self._teller.hold(self._plans.halfway or len(plan.left) > 1)
            await self._commit_part(plan)
            if not plan.left:
                self._plans.over(plan)
                self._judge(plan)
            self._teller.hold(self._plans.halfway)

    def _urgency(self, group_id: str) -> int:
        state = self._state()
        group = state.groups.get(group_id)
        return state.runs[group.run_id].priority if group is not None else 0

    async def _commit_part(self, plan: HeardPlan) -> None:
        part = plan.part
        # Before the commit, and less what came of the plan itself: what it brings about is no news to the scheduler.
        late = self._conduct.late(plan.message, lambda: self._teller.untold() - plan.touched)
        plan.late |= late.intersection(part.indices)
        plan.touched.update(name for one in part.plan.allocate for name in (one.worker_id, one.group_id))
        answer = await self._committed(replace(part.plan, waiting=self._conduct.reasons(part.plan.waiting)))
        plan.left.popleft()
        if answer is not None:
            if answer.unfed:
                plan.left.append(rest(part.plan.plan_id, answer.unfed))
            plan.accepted += answer.accepted
            plan.refused += [replace(one, index=part.indices[one.index]) for one in answer.refused]
            lost = {one.index for one in answer.refused}
            self._plans.given(plan, [one.group_id for index, one in enumerate(part.plan.allocate) if index not in lost])

    def _judge(self, plan: HeardPlan) -> None:
        """All of it is committed or refused: the scheduler is told, and what it proposed counts for or against it."""
        message, figures = plan.message, self._figures
        refused = sorted(plan.refused, key=lambda one: one.index)
        figures.accepted += len(plan.accepted)
        figures.refused += len(refused)
        if refused:
            figures.last_refusal = f"{refused[-1].reason}: {refused[-1].text}"
        if not message.allocate:
            return
        self._teller.answer(
            scheduler_pb2.PlanOutcome(
                plan_id=message.plan_id,
                accepted_allocation_ids=plan.accepted,
                refused=[scheduler_pb2.Refusal(index=one.index, reason=one.reason, text=one.text) for one in refused],
            )
        )
        faults = self._conduct.judged(message, len(plan.accepted), refused, frozenset(plan.late))
        if self._losses is not None:
            self._losses.count(message, refused, faults)

    async def _committed(self, plan: ApplyPlan) -> PlanAnswer | None:
        """What the ledger answers to the part of a plan for which the scheduler decides; the rest is refused here."""
        if self._sight is None:
            answer = await self._commit(self._less_waste(plan))
            return answer if isinstance(answer, PlanAnswer) else None
        own, indices = own_part(plan, self._state(), self._sight.mine)
        own = self._less_waste(own)
        answer = (
            await self._commit(own)
            if own.allocate or own.revoke or own.waiting or own.feed
            else PlanAnswer(plan.plan_id, (), ())
        )
        if not isinstance(answer, PlanAnswer):
            return None
        refused = [replace(one, index=indices[one.index]) for one in answer.refused]
        judged = frozenset(indices)
        refused += [
            Refusal(index, _SUPERSEDED, f"another scheduler decides for group {one.group_id}")
            for index, one in enumerate(plan.allocate)
            if index not in judged
        ]
        return replace(answer, refused=tuple(sorted(refused, key=lambda one: one.index)))

    def _less_waste(self, plan: ApplyPlan) -> ApplyPlan:
        """The plan, without what it may not take back. Raises PlanInvalid where that costs the scheduler more."""
        if not plan.revoke:
            return plan
        now = self._clock.monotonic()
        allowed, refused = self._revocations.sort_out(self._state(), plan.revoke, now)
        if not refused:
            return plan
        why = (
            f"it took back {MOST_WASTED} allocations within {WINDOW_SECONDS:g} s before anything was done there, though nobody "
            f"else was to have them; {refused[0].allocation_id} of group {refused[0].group_id} stays"
        )
        self._figures.last_refusal = why
        if now - self._waste_told_at >= _WASTE_LOG_SECONDS:
            self._waste_told_at = now
            self._log.warning("a scheduler may take nothing back", scheduler=self._figures.address, cause=why)
        self._conduct.wasted({one.group_id for one in refused}, why)
        return replace(plan, revoke=allowed)
