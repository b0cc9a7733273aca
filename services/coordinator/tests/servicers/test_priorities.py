"""Priority classes over the wire: made, used, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import suite_pb2
from services.coordinator.tests.running import Running, noop, running
from services.coordinator.tests.servicers.test_quotas import refused


async def put(fleet: Running, name: str, priority: int, **more: Any) -> admin_pb2.PriorityClass:
    one = admin_pb2.PriorityClass(name=name, priority=priority, **more)
    return (await fleet.admin.SetPriorityClass(admin_pb2.SetPriorityClassRequest(priority_class=one))).priority_class


async def submitted(fleet: Running, name: str = "", priority: int = 0, project: str = "") -> suite_pb2.Policy:
    policy = suite_pb2.Policy(priority_class=name, priority=priority)
    spec = noop(1, policy=policy)
    spec.project = project
    return (await fleet.submit(spec, f"{name} {priority} {project}")).run.spec.policy


async def test_a_run_has_the_priority_of_its_class_and_the_class_default_that_of_others(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        assert (await submitted(fleet)).priority_class == ""
        await put(fleet, "urgent", 100, preempts=True)
        batch = await put(fleet, "default", -10, preemptible=True, grace=Duration(seconds=30))
        listed = await fleet.admin.ListPriorityClasses(admin_pb2.ListPriorityClassesRequest())
        urgent, plain = await submitted(fleet, "urgent"), await submitted(fleet, project="other")
        numbered = await submitted(fleet, priority=7)
        again = await submitted(fleet, "urgent", 100)
        await fleet.admin.RemovePriorityClass(admin_pb2.RemovePriorityClassRequest(name="urgent"))
        left = await fleet.admin.ListPriorityClasses(admin_pb2.ListPriorityClassesRequest())

    assert [one.name for one in listed.priority_classes] == ["urgent", "default"]
    assert listed.priority_classes[1] == batch
    assert (urgent.priority_class, urgent.priority) == (again.priority_class, again.priority) == ("urgent", 100)
    assert (plain.priority_class, plain.priority) == ("default", -10)
    assert (numbered.priority_class, numbered.priority) == ("", 7)
    assert [one.name for one in left.priority_classes] == ["default"]


async def test_a_class_that_is_not_there_or_not_the_projects_is_refused_with_those_that_are(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        none = await refused(submitted(fleet, "urgent"))
        await put(fleet, "urgent", 100, projects=["release"])
        await put(fleet, "batch", -10)
        closed = await refused(submitted(fleet, "urgent", project="ml"))
        slip = await refused(submitted(fleet, "bacth", project="ml"))
        unlike = await refused(submitted(fleet, "batch", 5))
        spec = noop(1, policy=suite_pb2.Policy(priority_class="nope"))
        asked = await refused(fleet.runs.EstimateRun(run_service.EstimateRunRequest(spec=spec)))
        allowed = await submitted(fleet, "urgent", project="release")

    said = [(one.fields[0].path, one.fields[0].description) for one in (none, closed, slip, unlike, asked)]
    path = "spec.policy.priority_class"
    assert said == [
        (
            path,
            "a class that there is, not 'urgent': this fleet has none for project default, `crossfleet admin priority set` makes one",
        ),
        (
            path,
            "a class that is open to the project: urgent is for release alone; project ml may use batch",
        ),
        (path, "a class that there is, not 'bacth': did you mean 'batch'?"),
        ("spec.policy.priority", "not beside a class: that of batch is -10"),
        (path, "a class that there is, not 'nope': project default may use batch"),
    ]
    assert allowed.priority == 100


async def test_classes_that_cannot_be_are_refused_by_field(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        wrong = await refused(put(fleet, "-5", 2000, grace=Duration(seconds=100_000), projects=["a b"]))
        gone = await refused(fleet.admin.RemovePriorityClass(admin_pb2.RemovePriorityClassRequest(name="gone")))

    assert sorted(one.path for one in wrong.fields) == [
        "priority_class.grace",
        "priority_class.grace",
        "priority_class.name",
        "priority_class.priority",
        "priority_class.projects[0]",
    ]
    assert gone.reason == "PRIORITY_CLASS_NOT_FOUND"


async def test_a_deadline_that_is_no_time_is_refused_and_so_is_a_class_whose_name_is_none(tmp_path: Path) -> None:
    policies = [
        *(suite_pb2.Policy(deadline=Timestamp(seconds=seconds)) for seconds in (0, -1, 253_402_300_800, 2**63 - 1)),
        *(suite_pb2.Policy(deadline=Timestamp(seconds=2_000_000_000, nanos=nanos)) for nanos in (-1, 10**9)),
    ]
    long = suite_pb2.Policy(priority_class="x" * 100_000)
    async with running(tmp_path) as fleet:
        wrong = [await refused(fleet.submit(noop(1, policy=one), "r")) for one in policies]
        estimates = [run_service.EstimateRunRequest(spec=noop(1, policy=one)) for one in policies]
        wrong += [await refused(fleet.runs.EstimateRun(one)) for one in estimates]
        named = await refused(fleet.submit(noop(1, policy=long), "r"))

    text = "a time to come, within the next 365 days"
    assert {(one.fields[0].path, one.fields[0].description) for one in wrong} == {("spec.policy.deadline", text)}
    assert [(one.path, one.description) for one in named.fields] == [("spec.policy.priority_class", "at most 64 bytes")]
