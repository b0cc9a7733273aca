"""What is held against a scheduler, and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.breaker import Breaker, Stage
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.guard import Guard
from crossfleet.coordinator.scheduling.losses import MOST_LOST, Losses
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import PlanInvalid, Unavailable

Update = scheduler_pb2.ScheduleRequest
Plan = scheduler_pb2.ScheduleResponse
REFUSED = (Refusal(0, "RESOURCES_UNAVAILABLE", "held"),)


class Watched:
    """A guard with a clock that stands still, of a scheduler that is connected and was sent a snapshot."""

    def __init__(self) -> None:
        self.clock, self.breaker, self.figures = ManualClock(100.0), Breaker(0.5), SchedulerFigures()
        self.answered: list[float] = []
        self.guard = Guard(
            self.breaker,
            self.clock,
            self.figures,
            lambda group_ids: next(iter(group_ids), ""),
            lambda group_id: group_id == "possible",
            lambda: self.answered.append(self.clock.monotonic()),
            lambda: None,
        )
        self.guard.connected()
        self.told(snapshot=True)

    def told(self, *, snapshot: bool = False, worker: str = "", held: str = "", **wants: int) -> None:
        """An update goes out, of a worker, of an allocation on one, or of groups."""
        update = Update(revision=self.guard._revision + 1)
        groups = [scheduler_pb2.TaskGroup(group_id=one, wanted_slots=slots) for one, slots in wants.items()]
        if snapshot:
            update.snapshot.groups.extend(groups)
        else:
            update.delta.groups.extend(groups)
            if worker:
                update.delta.workers.add(worker_id=worker)
            if held:
                update.delta.allocations.add(allocation_id="a", worker_id=held)
        self.guard.told(update)

    def refused(self, base: int, *, untold: Sequence[str] = (), gangs: Sequence[str] = ("",)) -> frozenset[int]:
        """A plan on a revision is refused; answers what is held against the scheduler."""
        plan = Plan(base_revision=base)
        for number, gang in enumerate(gangs):
            plan.allocate.add(group_id=f"g{number}", worker_id=f"w{number}", slots=1, gang_id=gang)
        late = self.guard.late(plan, lambda: frozenset(untold))
        refused = tuple(Refusal(number, "RESOURCES_UNAVAILABLE", "held") for number in range(len(gangs)))
        return self.guard.judged(plan, 0, refused, late)


def test_what_could_not_hold_by_what_it_knew_is_its_own_fault() -> None:
    watched = Watched()
    assert watched.refused(1) == {0}
    assert watched.figures.late == 0


def test_what_the_same_plan_brought_about_is_not_its_fault() -> None:
    watched = Watched()
    plan = Plan(base_revision=1)
    plan.allocate.add(group_id="g", worker_id="w", slots=1)
    refused = (Refusal(0, "REQUEST_NOT_SATISFIED", "another alternative was taken", excused=True),)
    assert watched.guard.judged(plan, 1, refused, frozenset()) == frozenset()
    assert watched.breaker.stage is Stage.CLOSED


@pytest.mark.parametrize("news", [{"worker": "w0"}, {"held": "w0"}, {"g0": 1}])
def test_what_has_changed_since_the_revision_that_a_plan_names_is_not(news: dict[str, object]) -> None:
    watched = Watched()
    watched.told(**news)  # type: ignore[arg-type]
    assert watched.refused(1) == frozenset()
    assert watched.refused(2) == {0}
    assert watched.figures.late == 1


@pytest.mark.parametrize("untold", ["w0", "g0"])
def test_nor_is_what_was_not_told_yet(untold: str) -> None:
    assert Watched().refused(1, untold=[untold]) == frozenset()


def test_nor_what_follows_from_it_in_the_same_gang() -> None:
    watched = Watched()
    watched.told(worker="w1")
    assert watched.refused(1, gangs=["one", "one", "other"]) == {2}


def test_a_snapshot_is_news_of_everything() -> None:
    watched = Watched()
    watched.told(snapshot=True)
    assert watched.refused(1) == frozenset()


@pytest.mark.parametrize("base", [-1, 0, 2])
def test_a_plan_must_rest_on_what_was_sent(base: int) -> None:
    with pytest.raises(PlanInvalid, match="sent 1 to 1"):
        Watched().guard.heard(Plan(base_revision=base))


def test_whoever_asks_for_a_snapshot_may_have_missed_any_revision() -> None:
    watched = Watched()
    watched.guard.heard(Plan(base_revision=7, request_snapshot=True))
    with pytest.raises(PlanInvalid, match="sent 1 to 1"):
        watched.guard.heard(Plan(base_revision=7))


def test_never_is_not_taken_at_its_word() -> None:
    guard, never = Watched().guard, scheduler_pb2.WAITING_KIND_NEVER
    guard.heard(Plan(base_revision=1, waiting=[scheduler_pb2.Waiting(group_id="impossible", kind=never)]))
    with pytest.raises(PlanInvalid, match="can never be placed, which it can"):
        guard.heard(Plan(base_revision=1, waiting=[scheduler_pb2.Waiting(group_id="possible", kind=never)]))


def test_an_update_is_held_back_until_the_last_one_is_answered_or_for_twice_the_usual_time() -> None:
    watched = Watched()
    assert watched.guard.busy_until() < watched.clock.monotonic()
    watched.told(g0=1)
    watched.clock.advance(0.2)
    watched.guard.heard(Plan(base_revision=1))
    assert watched.answered == []
    watched.guard.heard(Plan(base_revision=2))
    assert watched.answered == [watched.clock.monotonic()]
    assert watched.figures.answer_seconds == pytest.approx(0.2)
    assert watched.guard.busy_until() < watched.clock.monotonic()
    watched.told(g1=1)
    assert watched.guard.busy_until() == pytest.approx(watched.clock.monotonic() + 0.4)


def test_nothing_is_to_be_answered_while_nobody_waits() -> None:
    watched = Watched()
    watched.told(g0=0, worker="w1")
    assert watched.breaker.due() is None


async def test_silence_opens_the_breaker() -> None:
    watched = Watched()
    watched.told(g0=1)
    watched.clock.advance(0.5)
    with pytest.raises(Unavailable, match=r"not answered an update for 0\.5 s, though group g0 could be placed"):
        await watched.guard.watch()
    assert watched.breaker.stage is Stage.OPEN


def test_a_fault_costs_a_group_at_once_and_lost_races_after_some() -> None:
    given_up: dict[str, str] = {}
    losses = Losses(given_up.__setitem__)
    plan = Plan(allocate=[scheduler_pb2.ProposedAllocation(group_id="g", worker_id="w", slots=1)])
    for _ in range(MOST_LOST - 1):
        losses.count(plan, REFUSED, frozenset())
    losses.count(plan, (), frozenset())  # it got something
    for _ in range(MOST_LOST - 1):
        losses.count(plan, REFUSED, frozenset())
    assert given_up == {}
    losses.count(plan, REFUSED, frozenset())
    assert "too slow" in given_up.pop("g")
    losses.count(plan, REFUSED, frozenset({0}))
    assert given_up == {"g": "proposed for it what could not hold: RESOURCES_UNAVAILABLE: held"}
