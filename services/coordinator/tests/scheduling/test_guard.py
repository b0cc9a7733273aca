"""What is held against a scheduler, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import pytest

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.breaker import PROBES, Breaker, Stage
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.guard import Guard
from crossfleet.coordinator.scheduling.losses import MOST_LOST, Losses
from crossfleet.coordinator.scheduling.neglect import LEAST_SECONDS
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
        self.busy: set[str] = set()
        self.given_up: dict[str, str] = {}
        self.asked_again: list[float] = []
        self.guard = Guard(
            self.breaker,
            self.clock,
            self.figures,
            self._placeable,
            lambda group_id: group_id == "possible",
            lambda: self.answered.append(self.clock.monotonic()),
            lambda: self.asked_again.append(self.clock.monotonic()),
            lambda: None,
            self.given_up.__setitem__,
        )
        self.guard.connected()
        self.told(snapshot=True)

    def _placeable(self, group_ids: Iterable[str]) -> Iterator[str]:
        return (one for one in group_ids if one not in self.busy)

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

    def said(self, *, gives: str = "", explains: str = "") -> Plan:
        """A plan comes on the newest revision: a slot for one group, or a reason of one; or nothing at all."""
        plan = Plan(base_revision=self.guard._revision)
        if gives:
            plan.allocate.add(group_id=gives, worker_id="w0", slots=1)
        if explains:
            plan.waiting.add(group_id=explains, code="held", text="kept for a gang")
        self.guard.heard(plan)
        return plan

    async def watched(self, seconds: float) -> None:
        """Time goes by, and the guard looks whenever it wants to. Raises Unavailable when the breaker opens."""
        ends, watch = self.clock.monotonic() + seconds, asyncio.ensure_future(self.guard.watch())
        while not watch.done() and self.clock.monotonic() < ends:
            self.clock.advance(0.25)
            self.guard._stir.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch

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


async def opened(watched: Watched, seconds: float) -> str:
    """Why the breaker opens within so many seconds; empty where it does not."""
    with suppress(Unavailable):
        await watched.watched(seconds)
    return watched.breaker.cause if watched.breaker.stage is Stage.OPEN else ""


async def test_whoever_answers_and_never_says_a_word_of_a_group_that_could_be_placed_is_out() -> None:
    watched = Watched()
    watched.told(g0=1)
    watched.said()
    assert await opened(watched, LEAST_SECONDS) == ""
    cause = await opened(watched, 1.0)
    assert cause == "it has placed nothing for 2 s, nor said why, though group g0 could be placed"
    assert watched.given_up == {"g0": "has said nothing of it for 2 s, though it could be placed"}


async def test_whoever_places_others_meanwhile_loses_that_group_alone() -> None:
    watched = Watched()
    watched.told(g0=1, g1=1)
    watched.said()
    await watched.watched(LEAST_SECONDS)
    watched.guard.judged(watched.said(gives="g1"), 1, (), frozenset())
    assert await opened(watched, 1.0) == ""
    assert watched.given_up.keys() == {"g0"}
    assert watched.breaker.stage is Stage.CLOSED


async def test_a_group_that_is_kept_waiting_with_a_reason_is_not_neglected() -> None:
    watched = Watched()
    watched.told(g0=1)
    watched.said(explains="g0")
    watched.told(g0=2)
    watched.told(g0=0)
    watched.told(g0=3)
    watched.said()
    assert await opened(watched, 30.0) == ""
    assert watched.given_up == {}


async def test_whoever_has_frozen_after_it_gave_a_reason_is_asked_again_and_out() -> None:
    watched = Watched()
    watched.told(g0=1)
    watched.said(explains="g0")
    assert await opened(watched, 0.5) == ""
    assert watched.asked_again == [watched.clock.monotonic()]
    watched.told()
    assert "it has not answered an update for 0.5 s, though group g0 could be placed" in await opened(watched, 1.0)


async def test_whom_it_takes_long_to_tell_everything_is_asked_again_less_often() -> None:
    watched = Watched()
    watched.told(snapshot=True, **{f"g{number}": 1 for number in range(4_000)})  # type: ignore[arg-type]
    watched.said(explains="g0")
    assert await opened(watched, 1.5) == ""
    assert watched.asked_again == []
    assert await opened(watched, 0.75) == ""
    assert len(watched.asked_again) == 1


async def test_nobody_is_asked_again_while_nobody_could_be_placed() -> None:
    watched = Watched()
    watched.busy = {"g0"}
    watched.told(g0=1)
    watched.said(explains="g0")
    assert await opened(watched, 10.0) == ""
    assert watched.asked_again == []


async def test_a_reason_does_not_outlast_what_the_group_got() -> None:
    watched = Watched()
    watched.told(g0=2)
    watched.said(explains="g0")
    watched.guard.judged(watched.said(gives="g0"), 1, (), frozenset())
    watched.told(g0=1)
    watched.said()
    assert "group g0 could be placed" in await opened(watched, 3.0)


async def test_a_reason_in_the_plan_that_gave_it_something_does() -> None:
    watched = Watched()
    watched.told(g0=2)
    watched.said(explains="g0")
    plan = Plan(base_revision=watched.guard._revision)
    plan.allocate.add(group_id="g0", worker_id="w0", slots=1)
    plan.waiting.add(group_id="g0", code="held", text="kept for a gang")
    watched.guard.heard(plan)
    watched.guard.judged(plan, 1, (), frozenset())
    watched.told(g0=1)
    watched.said()
    assert await opened(watched, 30.0) == ""


async def test_a_group_for_which_there_was_no_room_meanwhile_is_not_neglected() -> None:
    watched = Watched()
    watched.told(g0=1)
    watched.said()
    for _ in range(5):
        assert await opened(watched, LEAST_SECONDS - 0.5) == ""
        watched.busy = {"g0"}
        assert await opened(watched, 1.0) == ""
        watched.busy = set()
    assert watched.given_up == {}


async def test_what_is_proposed_and_not_yet_judged_is_nobodys_neglect() -> None:
    watched = Watched()
    watched.told(g0=1)
    plan = watched.said(gives="g0")
    assert await opened(watched, 30.0) == ""
    watched.guard.judged(plan, 0, REFUSED, frozenset({0}))
    assert "could be placed" in await opened(watched, 3.0)


async def test_the_one_neglected_group_among_many_that_find_no_room_is_found() -> None:
    watched = Watched()
    watched.busy = {f"b{number:03}" for number in range(200)}
    watched.told(**dict.fromkeys(sorted(watched.busy), 1), g0=1)  # type: ignore[arg-type]
    watched.said()
    await opened(watched, 30.0)
    assert watched.given_up.keys() == {"g0"}


async def test_on_trial_no_number_of_empty_answers_closes_the_breaker_while_the_group_could_be_placed() -> None:
    watched = Watched()
    watched.guard.lost("its stream broke")
    watched.guard.connected()
    assert watched.breaker.stage is Stage.HALF_OPEN
    for slots in range(1, 2 * PROBES):
        watched.told(g0=slots)
        watched.said()
    assert await opened(watched, 1.5) == ""
    assert watched.breaker.stage is Stage.HALF_OPEN
    assert "group g0 could be placed" in await opened(watched, 2.0)


async def test_on_trial_a_reason_counts_as_an_answer() -> None:
    watched = Watched()
    watched.guard.lost("its stream broke")
    watched.guard.connected()
    watched.told(g0=1)
    watched.said()
    watched.said(explains="g0")
    await watched.watched(1.5)
    assert watched.breaker.stage is Stage.CLOSED


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
