from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.semaphore import RemoveSemaphore, SetSemaphore
from crossfleet.coordinator.core.view import open_groups
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"case-{number}" for number in range(40))


def fleet_with(capacity, slots=8):
    fleet = Fleet()
    fleet.join(slots=slots)
    fleet.do(SetSemaphore("seat", capacity))
    return fleet


def submit(fleet, run_id, each=1, **request):
    return fleet.submit(run_id, IDS, request=Request(semaphores=(("seat", each),), **request))


def held(fleet):
    return fleet.state.semaphores["seat"].held


def offered(fleet):
    return {one.run_id: one.wanted_slots for one in open_groups(fleet.state)}


def end(fleet, run_id):
    fleet.do(c.StopRun(run_id, "over"))
    fleet.close_what_is_closing()


def test_slots_hold_their_part_until_their_allocation_is_gone():
    fleet = fleet_with(3)
    submit(fleet, "a")
    assert offered(fleet) == {"a": 3}
    assert len(fleet.place()) == 1
    assert held(fleet) == 3
    fleet.do(c.StopRun("a", "over"))
    assert held(fleet) == 3
    fleet.close_what_is_closing()
    assert held(fleet) == 0


def test_a_plan_cannot_give_away_more_than_there_is():
    fleet = fleet_with(3)
    submit(fleet, "a")
    submit(fleet, "b")
    proposals = (c.ProposedAllocation("a/default", "w1", 2), c.ProposedAllocation("b/default", "w1", 2))
    answer = fleet.do(c.ApplyPlan("plan", proposals))

    assert len(answer.accepted) == 1
    assert [(one.index, one.reason, one.text) for one in answer.refused] == [
        (1, "RESOURCES_UNAVAILABLE", "group b/default wants 1 more slots, not 2")
    ]
    assert offered(fleet) == {"a": 1, "b": 1}


def test_who_waits_is_told_who_holds_it_and_goes_on_when_it_is_given_back():
    fleet = fleet_with(2)
    submit(fleet, "a")
    fleet.place()
    submit(fleet, "b")
    group = fleet.state.groups["b/default"]
    assert group.waiting_text == "it needs 1 of semaphore seat, of 2 in all: held by a (2)"
    assert "b" not in offered(fleet)

    end(fleet, "a")
    assert offered(fleet) == {"b": 2}
    assert not group.waiting_text


def test_who_is_held_back_for_a_moment_waits_for_what_the_scheduler_said_before():
    fleet = fleet_with(2)
    submit(fleet, "a")
    fleet.do(c.ApplyPlan("plan", waiting=(c.WaitingReason("a/default", False, "busy", "8 slots are in use"),)))
    fleet.do(SetSemaphore("seat", 0))
    group = fleet.state.groups["a/default"]
    assert group.held_back
    fleet.do(SetSemaphore("seat", 2))
    assert (group.held_back, group.waiting_code, group.waiting_text) == ("", "busy", "8 slots are in use")


def test_a_large_request_is_not_starved_by_small_ones_that_come_later():
    fleet = fleet_with(3)
    submit(fleet, "small", slots_max=1)
    fleet.place()
    submit(fleet, "large", each=3)
    submit(fleet, "later", slots_max=1)
    assert offered(fleet) == {"small": 0}
    assert "others were there first" in fleet.state.groups["later/default"].waiting_text

    end(fleet, "small")
    assert offered(fleet) == {"large": 1, "later": 1}


def test_a_request_that_can_never_be_met_keeps_nothing_from_others():
    fleet = fleet_with(3)
    submit(fleet, "large", each=3)
    fleet.do(SetSemaphore("seat", 2))
    submit(fleet, "small", slots_max=1)
    assert offered(fleet) == {"small": 1}
    fleet.do(SetSemaphore("seat", 3))
    assert offered(fleet) == {"large": 1, "small": 1}


def test_those_that_wait_for_one_semaphore_keep_another_from_others_but_once():
    fleet = fleet_with(4)
    fleet.do(SetSemaphore("bench", 1))
    both = {"request": Request(semaphores=(("bench", 1), ("seat", 1)), slots_max=1)}
    fleet.submit("has", IDS, **both)
    fleet.place()
    for number in range(4):
        fleet.submit(f"waits{number}", IDS, **both)
    submit(fleet, "plain")
    assert offered(fleet) == {"has": 0, "plain": 3}


def test_a_lowered_capacity_takes_nothing_back_and_gives_nothing_out():
    fleet = fleet_with(2)
    submit(fleet, "a")
    fleet.place()
    fleet.do(SetSemaphore("seat", 0))
    submit_more = fleet.submit("b", IDS, request=Request(semaphores=(("seat", 1),)))
    assert submit_more.reason == "TARGET_UNSATISFIABLE"
    assert held(fleet) == 2
    assert not fleet.place()


def test_a_gang_gets_enough_for_all_of_it_or_nothing():
    fleet = fleet_with(3, slots=2)
    fleet.join("w2", slots=2, session="s2")
    submit(fleet, "gang", gang=2, slots_min=2)
    assert fleet.rejections[-1].reason == "TARGET_UNSATISFIABLE"
    fleet.do(SetSemaphore("seat", 4))
    submit(fleet, "one", slots_max=1)
    fleet.place()
    submit(fleet, "gang", gang=2, slots_min=2)
    assert fleet.state.groups["gang/default"].waiting_text.startswith("it needs 4 of semaphore seat, of 4 in all")
    end(fleet, "one")
    assert offered(fleet) == {"gang": 4}


def test_a_semaphore_that_does_not_exist_is_refused_with_the_one_that_is_near():
    fleet = fleet_with(1)
    answer = fleet.submit("a", IDS, request=Request(semaphores=(("seet", 1),)))
    assert (answer.reason, answer.message) == ("SEMAPHORE_NOT_FOUND", "no semaphore 'seet': did you mean 'seat'?")
    assert answer.field == "spec.targets[0].request.semaphores"


def test_a_semaphore_in_use_cannot_be_removed():
    fleet = fleet_with(1)
    submit(fleet, "a")
    assert fleet.do(RemoveSemaphore("seat")).reason == "STATE_CONFLICT"
    end(fleet, "a")
    fleet.do(RemoveSemaphore("seat"))
    assert fleet.state.semaphores == {}
    assert fleet.do(RemoveSemaphore("seat")).reason == "SEMAPHORE_NOT_FOUND"


STEP = st.tuples(st.sampled_from(("submit", "place", "end", "set", "lose", "greedy")), st.integers(0, 99))


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_never_is_more_held_than_there_was_when_it_was_given_and_everybody_gets_their_turn(steps):
    fleet = fleet_with(3, slots=4)
    fleet.join("w2", slots=3, session="s2")
    for name, pick in steps:
        before, most = held(fleet), fleet.state.semaphores["seat"].capacity
        runs = list(fleet.state.runs)
        if name == "submit":
            submit(fleet, f"run{len(fleet.state.requests)}", each=1 + pick % 3, slots_max=pick % 4)
        elif name == "place":
            fleet.place()
        elif name == "greedy" and runs:
            group_id = f"{runs[pick % len(runs)]}/default"
            fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation(group_id, f"w{1 + pick % 2}", 1 + pick % 4),) * 2))
        elif name == "end" and runs:
            end(fleet, runs[pick % len(runs)])
        elif name == "set":
            fleet.do(SetSemaphore("seat", 3 + pick % 3))
        elif name == "lose":
            fleet.do(c.WorkerLost("w2", "lost"))
            fleet.join("w2", slots=3, session=f"s{pick}", incarnation=f"i{pick}")
        assert held(fleet) <= max(before, most)
    fleet.work()
    assert held(fleet) == 0
    ended = {event.run_id for event in fleet.of(e.RunFinished)}
    assert ended == {event.run_id for event in fleet.of(e.RunSubmitted)}
