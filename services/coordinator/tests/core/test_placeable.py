"""What a scheduler is expected to notice."""

from crossfleet.coordinator.core.placeable import first_placeable, surely_satisfiable
from crossfleet.matching.model import Device, DeviceRequest, Request
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.core.test_planning import IDS, plan


def placeable(state, group):
    return first_placeable(state, [group]) is group


def asked(fleet, question, run="run"):
    return question(fleet.state, fleet.state.groups[f"{run}/default"])


def test_a_group_could_be_placed_while_a_worker_has_room_and_it_wants_more():
    fleet = Fleet()
    fleet.submit(cases=IDS)
    assert not asked(fleet, placeable)
    fleet.join(slots=2)
    assert asked(fleet, placeable)
    plan(fleet, ("run/default", "w1", 2))
    assert not asked(fleet, placeable)


def test_a_gang_needs_room_on_as_many_workers_as_it_has_members():
    fleet = Fleet()
    fleet.submit(cases=IDS, request=Request(gang=2, slots_min=2))
    fleet.join(slots=4)
    assert not asked(fleet, placeable)
    fleet.join("w2", slots=2, session="s2")
    assert asked(fleet, placeable)


def test_what_is_busy_could_be_satisfied_and_what_nobody_has_could_not():
    fleet = Fleet()
    fleet.submit(cases=IDS, request=Request(devices=(DeviceRequest("gpu"),)))
    fleet.submit("other", cases=IDS)
    fleet.join(slots=1)
    assert not asked(fleet, surely_satisfiable)
    fleet.join("w2", slots=1, session="s2", devices=(Device("gpu0", "gpu"),))
    plan(fleet, ("other/default", "w2", 1))
    assert not asked(fleet, placeable)
    assert asked(fleet, surely_satisfiable)
