"""What a scheduler proposes, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core.answers import PlanAnswer, Refusal
from crossfleet.coordinator.core.commands import ApplyPlan
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.scheduling.conduct import Conduct
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.losses import Losses
from crossfleet.coordinator.scheduling.sight import Sight, own_part
from crossfleet.coordinator.scheduling.teller import Teller
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.errors import PlanInvalid, Unavailable
from crossfleet.foundation.logs import get_logger

_SUPERSEDED = "SCHEDULER_SUPERSEDED"


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
    ) -> None:
        """`sight`: for which groups the scheduler decides; None: for all. `losses` counts what came to nothing."""
        self._teller, self._figures = teller, figures
        self._state, self._commit = state, commit
        self._sight, self._conduct, self._losses = sight, conduct, losses
        self._log = get_logger()

    async def hear(self, call: Any) -> None:
        """Takes plans until the stream ends. Raises how it ended, PlanInvalid, and what a refused command raises."""
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
                await self._apply(message)
        raise Unavailable("the scheduler ended the stream", address=self._figures.address)

    async def _apply(self, message: scheduler_pb2.ScheduleResponse) -> None:
        # Before the commit: what it brings about itself is no news to the scheduler.
        late = self._conduct.late(message, self._teller.untold)
        answer = await self._committed(plans.plan(message))
        if answer is None:
            return
        figures = self._figures
        figures.accepted += len(answer.accepted)
        figures.refused += len(answer.refused)
        if answer.refused:
            figures.last_refusal = f"{answer.refused[-1].reason}: {answer.refused[-1].text}"
        if message.allocate:
            self._teller.answer(
                scheduler_pb2.PlanOutcome(
                    plan_id=answer.plan_id,
                    accepted_allocation_ids=answer.accepted,
                    refused=[
                        scheduler_pb2.Refusal(index=one.index, reason=one.reason, text=one.text)
                        for one in answer.refused
                    ],
                )
            )
            faults = self._conduct.judged(message, len(answer.accepted), answer.refused, late)
            if self._losses is not None:
                self._losses.count(message, answer.refused, faults)

    async def _committed(self, plan: ApplyPlan) -> PlanAnswer | None:
        """What the ledger answers to the part of a plan for which the scheduler decides; the rest is refused here."""
        if self._sight is None:
            answer = await self._commit(plan)
            return answer if isinstance(answer, PlanAnswer) else None
        own, indices = own_part(plan, self._state(), self._sight.mine)
        answer = (
            await self._commit(own) if own.allocate or own.revoke or own.waiting else PlanAnswer(plan.plan_id, (), ())
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
