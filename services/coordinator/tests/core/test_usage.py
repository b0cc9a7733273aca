"""What projects had of a fleet."""

import pytest

from crossfleet.coordinator.config import weights
from crossfleet.coordinator.core.usage import Usage, held_parts
from crossfleet.foundation.errors import InvalidArgument
from crossfleet.matching.model import Device, DeviceRequest, Request
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.core.test_planning import IDS, plan


def test_what_was_held_for_a_half_life_counts_half_and_fades_when_it_is_given_back():
    usage = Usage(100.0, {})
    usage.advance(0.0, {"p": {"cpu": 1.0}})
    (held,) = usage.advance(100.0, {})
    assert held.used["cpu"] == pytest.approx(0.5)
    (faded,) = usage.advance(300.0, {})
    assert faded.used["cpu"] == pytest.approx(0.125)
    assert usage.advance(10_000.0, {})[0].used == {}
    assert usage.advance(10_001.0, {}) == ()


def test_it_does_not_matter_how_often_it_is_counted():
    often, once = Usage(50.0, {}), Usage(50.0, {})
    for one in (often, once):
        one.advance(0.0, {"p": {"gpu": 0.4}})
    for at in range(1, 60):
        often.advance(float(at), {"p": {"gpu": 0.4}})
    first, second = often.advance(60.0, {}), once.advance(60.0, {})
    assert first[0].used["gpu"] == pytest.approx(second[0].used["gpu"])


def test_weights_are_told_of_projects_that_hold_nothing():
    (one,) = Usage(1.0, {"search": 3.0}).advance(0.0, {})
    assert (one.project, one.weight) == ("search", 3.0)


def test_a_share_is_what_is_held_and_was_used_of_the_dominant_resource_for_the_weight():
    usage = Usage(100.0, {"search": 4.0})
    usage.advance(0.0, {"search": {"cpu": 0.4}, "web": {"cpu": 0.2}})
    usage.advance(1e6, {})

    assert usage.share("search", {"cpu": 0.1, "gpu": 0.8}) == pytest.approx(0.2)
    assert usage.share("nobody", {}) == 0.0


def test_cores_and_devices_are_parts_of_the_whole_fleet():
    fleet = Fleet()
    fleet.submit(cases=IDS, request=Request(devices=(DeviceRequest("gpu"),)))
    fleet.join("w1", slots=4, devices=(Device("gpu0", "gpu"), Device("gpu1", "gpu")))
    fleet.join("w2", slots=4, session="s2")
    plan(fleet, ("run/default", "w1", 1, ("gpu0",)))
    assert held_parts(fleet.state) == {"p": {"cpu": 1 / 8, "gpu": 0.5}}


def test_weights_are_read_and_a_wrong_one_is_named():
    assert weights("search=3, ads=0.5") == {"search": 3.0, "ads": 0.5}
    for wrong in ("search", "=1", "search=0", "search=many", "search=nan"):
        with pytest.raises(InvalidArgument, match="project_weights"):
            weights(wrong)
