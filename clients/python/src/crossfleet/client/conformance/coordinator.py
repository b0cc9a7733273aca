"""The coordinator of a check, without time or network: makes updates, judges plans and answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import (
    DescribeResponse,
    PlanOutcome,
    ProposedAllocation,
    Refusal,
    ScheduleRequest,
    ScheduleResponse,
)
from crossfleet.client.conformance import updates
from crossfleet.client.conformance.check import Answer, Form, Level, Step
from crossfleet.client.conformance.expecting import Seen
from crossfleet.client.conformance.fits import add_fits
from crossfleet.client.conformance.judging import Books, as_holding, broken_gang
from crossfleet.client.conformance.lines import plan_line, update_line
from crossfleet.client.conformance.rows import Holding
from crossfleet.client.conformance.truth import Truth


@dataclass(frozen=True)
class Wrong:
    """Something that is not as it should be. `level` None: as the check says."""

    text: str
    level: Level | None = None


@dataclass
class _Sent:
    """A plan's proposals, the revision that they rest on, and the one with which they were answered."""

    base: int
    proposals: list[Holding]
    answered: int | None = None


class Coordinator:
    """Knows the truth of one check. `wrongs` and `lines` say what was wrong and what happened."""

    def __init__(self, described: DescribeResponse, *, first_revision: int) -> None:
        """Begin with an empty fleet. `described`: what the scheduler says of itself."""
        self.wrongs: list[Wrong] = []
        self.lines: list[str] = []
        self.seen = Seen()
        self.revision = 0
        self._truth = self.seen.truth
        self._snapshots_only, self._wants_fits = described.snapshots_only, described.wants_fits
        self._first = first_revision
        self._committed = 0
        self.begin_stream()

    def begin_stream(self) -> None:
        """What was told and said on another stream is no more."""
        self.revision = self._first - 1
        self._told = Truth()
        self._history: dict[int, Truth] = {}
        self._sent: dict[str, _Sent] = {}
        self._outcomes: list[PlanOutcome] = []
        self._snapshot_next = True
        self._last_base = 0
        self.seen.reasons.clear()

    def begin_step(self, step: Step) -> None:
        """Let the rows of a step be the truth."""
        truth = self._truth
        if step.replace:
            truth.clear()
        for name in step.gone:
            truth.forget(name)
        truth.workers.update({one.worker_id: one for one in step.workers})
        truth.holdings.update({one.holding_id: one for one in step.holdings})
        truth.shares.update(step.shares)
        for wish in step.groups:
            truth.tell(wish)
        self._outcomes += [updates.stray_outcome()] if step.stray else []
        self.seen.plans.clear()
        self.seen.seconds = None
        self.seen.told = self.revision + 1

    def lose(self) -> None:
        """The next update is made and never sent."""
        self.revision += 1
        self._told = self._truth.copy()

    def update(self, form: Form, step: Step, now: float) -> ScheduleRequest:
        """The next update: outcomes, and all that is new since the last one."""
        self.revision += 1
        made = ScheduleRequest(revision=self.revision, outcomes=self._outcomes, now_unix_seconds=now)
        self._outcomes = []
        if form is Form.SNAPSHOT or (form is Form.CHANGES and (self._snapshot_next or self._snapshots_only)):
            made.snapshot.CopyFrom(updates.snapshot(self._truth))
            if self._wants_fits:
                add_fits(made.snapshot, self._truth)
            self._snapshot_next = False
        elif form is not Form.BARE:
            strangers = [one for one in step.gone if one.startswith("stranger")]
            made.delta.CopyFrom(updates.delta(self._told, self._truth, strangers))
        if form is not Form.BARE:
            self._told = self._truth.copy()
            if step.unknown:
                updates.add_later_fields(made)
        self._history[self.revision] = self._told
        for outcome in made.outcomes:
            if outcome.plan_id in self._sent:
                self._sent[outcome.plan_id].answered = self.revision
        self.lines.append(update_line(made))
        return made

    def judge(self, plan: ScheduleResponse) -> None:
        """Note a plan, and what is wrong with it by what its scheduler had seen."""
        self.lines.append(plan_line(plan))
        self.seen.plans.append(plan)
        self._judge_head(plan)
        base = plan.base_revision
        truth = self._history.get(base, self._truth)
        books = Books(truth, self._unanswered(base))
        for unit in _units(plan.allocate):
            texts = [text for one in unit.values() if (text := books.wrong(one))] or [broken_gang(truth, unit.values())]
            for text in filter(None, texts):
                self._wrong(text)
        self._sent[plan.plan_id] = _Sent(base, [as_holding(truth, "", one) for one in plan.allocate])
        for allocation_id in plan.revoke_allocation_ids:
            if allocation_id not in truth.holdings:
                self._wrong(f"allocation {allocation_id!r} is to be taken back, and there is none")
            elif truth.protects(allocation_id):
                self._wrong(
                    f"allocation {allocation_id!r} is to be taken back, and its group is one of which nothing may be"
                )
        for reason in plan.waiting:
            if reason.group_id not in truth.groups:
                self._wrong(f"a reason is told for {reason.group_id!r}, and there is no such group", Level.SHOULD)
            self.seen.reasons[reason.group_id] = reason

    def answer(self, plan: ScheduleResponse, step: Step) -> bool:
        """Commit what holds now and refuse the rest, to be told next; answers whether there is something to tell."""
        if step.answer is Answer.WITHHOLD:
            return False
        for allocation_id in plan.revoke_allocation_ids:
            held = self._truth.holdings.get(allocation_id)
            if held is not None and not self._truth.protects(allocation_id):
                self._truth.holdings[allocation_id] = replace(held, closing=True)
        if plan.allocate:
            self._outcomes.append(self._outcome(plan, step))
            # What a group got takes back what it was told before, not what the same plan tells.
            self.seen.reasons.update((one.group_id, one) for one in plan.waiting)
        self._snapshot_next = self._snapshot_next or plan.request_snapshot
        return bool(plan.allocate or plan.revoke_allocation_ids or plan.request_snapshot)

    def end_closing(self, plan: ScheduleResponse) -> bool:
        """What a plan took back has ended; answers whether there was any."""
        ended = [self._truth.holdings.get(one) for one in plan.revoke_allocation_ids]
        for one in ended:
            if one is not None and one.closing:
                self._truth.end(one)
        return any(one is not None and one.closing for one in ended)

    def _judge_head(self, plan: ScheduleResponse) -> None:
        base = plan.base_revision
        if plan.request_snapshot and not plan.allocate:
            return
        if base not in self._history:
            self._wrong(f"plan {plan.plan_id!r} is based on revision {base}, which was never sent")
        elif base < self._last_base:
            self._wrong(f"a plan on revision {base} follows one on {self._last_base}")
        self._last_base = max(self._last_base, base)
        if plan.allocate and (not plan.plan_id or plan.plan_id in self._sent):
            self._wrong(f"a plan needs an id of its own, which outcomes name; this one has {plan.plan_id!r}")

    def _unanswered(self, base: int) -> list[Holding]:
        """What was proposed and not answered, as far as a scheduler knows that plans on a revision.

        One that wants snapshots only need not remember what it proposed on earlier ones.
        """
        return [
            one
            for sent in self._sent.values()
            if (sent.answered is None or sent.answered > base) and (not self._snapshots_only or sent.base == base)
            for one in sent.proposals
        ]

    def _outcome(self, plan: ScheduleResponse, step: Step) -> PlanOutcome:
        outcome, truth = PlanOutcome(plan_id=plan.plan_id), self._truth.copy()
        books = Books(truth)
        for unit in _units(plan.allocate):
            texts = [text for one in unit.values() if (text := _refusal(books, one, step))]
            text = texts[0] if texts else broken_gang(truth, unit.values())
            for index, one in unit.items():
                if text:
                    outcome.refused.append(Refusal(index=index, reason="RESOURCES_UNAVAILABLE", text=text))
                    continue
                self._committed += 1
                holding = as_holding(self._truth, f"a{self._committed}", one)
                self._truth.commit(holding)
                self.seen.reasons.pop(one.group_id, None)
                outcome.accepted_allocation_ids.append(holding.holding_id)
        return outcome

    def _wrong(self, text: str, level: Level = Level.MUST) -> None:
        self.wrongs.append(Wrong(text, level))


def _refusal(books: Books, one: ProposedAllocation, step: Step) -> str:
    if step.answer is Answer.REFUSE or one.worker_id in step.refused:
        return f"{one.worker_id} was given away meanwhile"
    return books.wrong(one)


def _units(proposals: Sequence[ProposedAllocation]) -> list[dict[int, ProposedAllocation]]:
    """Proposals that are committed together, by their index in the plan."""
    units: dict[str, dict[int, ProposedAllocation]] = {}
    for index, one in enumerate(proposals):
        units.setdefault(f"gang {one.gang_id}" if one.gang_id else f"{index}", {})[index] = one
    return list(units.values())
