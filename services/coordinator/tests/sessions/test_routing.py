"""What follows from commits for workers."""

from crossfleet.coordinator.convert.allocations import Specs
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.sessions.routing import route
from services.coordinator.tests.core.fleet import Fleet


def closes(found):
    return [worker for worker, messages in found.items() for one in messages if one.HasField("close_allocation")]


def test_an_allocation_is_told_once_to_close_whatever_ends_elsewhere():
    fleet = Fleet()
    fleet.submit(cases=("a", "b", "c", "d"), policy=c.PolicySpec(max_cases_per_task=1))
    for name in ("w1", "w2"):
        fleet.join(name, slots=2, session=name)
    fleet.place()
    told: set[str] = set()
    seen = []
    for attempt in sorted(fleet.live(), key=lambda one: one.worker_id):
        before = len(fleet.events)
        fleet.finish(attempt)
        seen.append(closes(route(fleet.state, fleet.events[before:], Specs(), lambda _: (), told)))
    ending = [worker for workers in seen for worker in workers]

    assert sorted(ending) == ["w1", "w2"]
    assert "w1" in seen[1]
