"""What a target asks for, on its way from the one who submitted it to a scheduler."""

from crossfleet.coordinator.convert.fleet import request_message
from crossfleet.matching.gates import Gates
from crossfleet.matching.messages import request_from
from crossfleet.matching.model import DeviceRequest, Placement, Preference, Request


def test_a_scheduler_is_told_all_that_was_asked_for():
    request = Request(
        selector="worker.cpu > 1.0",
        cpu_cores=1.5,
        memory_bytes=2**30,
        devices=(DeviceRequest("gpu", "device.memory > 1", 2),),
        slots_min=2,
        slots_max=8,
        exclusive=True,
        tolerations=frozenset({"old"}),
        runner="pytest",
        gang=3,
        preferred=(Preference('worker.labels.zone == "eu"', 7),),
        placement=Placement.SPREAD,
        semaphores=(("licence", 2),),
        gates=Gates(temperature=80.0, load=0.0, wait_seconds=300.5, repeats=3),
    )
    assert request_from(request_message(request), request.selector, request.runner) == request
