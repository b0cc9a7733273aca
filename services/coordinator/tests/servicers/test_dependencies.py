"""What targets need: others of their run, semaphores, a suite of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running


async def refused(call: Any) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def put(fleet: Running, name: str, capacity: int) -> admin_pb2.Semaphore:
    return (await fleet.admin.SetSemaphore(admin_pb2.SetSemaphoreRequest(name=name, capacity=capacity))).semaphore


async def listed(fleet: Running) -> list[admin_pb2.Semaphore]:
    return list((await fleet.admin.ListSemaphores(admin_pb2.ListSemaphoresRequest())).semaphores)


def asking(each: int, cases: int = 9) -> run_pb2.RunSpec:
    spec = noop(cases)
    spec.targets.add(name="default").request.semaphores["seat"] = each
    return spec


async def test_what_there_is_who_holds_it_and_who_waits_can_be_seen(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        assert (await put(fleet, "seat", 2)).capacity == 2
        await ScriptedWorker(fleet.channel, slots=4).hello()
        first = (await fleet.submit(asking(1), "r1")).run.run_id

        async def held() -> bool:
            return (await listed(fleet))[0].held == 2

        await eventually(held, deadline=30)
        second = (await fleet.submit(asking(2), "r2")).run
        (shown,) = await listed(fleet)
        assert [(one.run_id, one.held) for one in shown.holders] == [(first, 2)]
        assert list(shown.waiting_group_ids) == [f"{second.run_id}/default"]
        waiting = (await fleet.run(second.run_id)).targets[0].waiting_reason
        assert waiting == f"it needs 2 of semaphore seat, of 2 in all: held by {first} (2)"
        in_use = await refused(fleet.admin.RemoveSemaphore(admin_pb2.RemoveSemaphoreRequest(name="seat")))
        assert in_use.reason == "STATE_CONFLICT"


async def test_requests_that_cannot_be_are_refused_with_their_field(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        wrong = await refused(put(fleet, "a b", -1))
        assert {one.path for one in wrong.fields} == {"name", "capacity"}
        unknown = await refused(fleet.submit(asking(1)))
        assert (unknown.reason, unknown.fields[0].path) == (
            "SEMAPHORE_NOT_FOUND",
            "spec.targets[0].request.semaphores",
        )
        await put(fleet, "seat", 1)
        assert (await refused(fleet.submit(asking(2)))).reason == "TARGET_UNSATISFIABLE"
        none = await refused(fleet.submit(asking(0)))
        assert none.fields[0].path == "spec.targets[0].request.semaphores['seat']"


async def test_needs_that_cannot_be_are_refused_with_their_field(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        spec = noop(1)
        spec.targets.add(name="cpu").needs.add(target="gpu")
        spec.targets.add(name="gpu").needs.add(target="cpu")
        circle = await refused(fleet.submit(spec))
        assert circle.fields[0].path == "spec.targets[1].needs[0]"
        assert circle.fields[0].description == "needs go in a circle: cpu needs gpu needs cpu"


async def test_patterns_of_artifacts_are_checked_and_counted_where_something_compares_them(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        spec = noop(1)
        spec.targets.add(name="build")
        need = spec.targets.add(name="gpu").needs.add(target="build", artifacts=["*.whl"])
        wrong = await refused(fleet.submit(spec))
        assert [one.path for one in wrong.fields] == ["spec.targets[1].needs[0].artifacts"]
        need.when = suite_pb2.NEED_WHEN_CHANGED
        need.artifacts.extend(["", "x" * 201])
        wrong = await refused(fleet.submit(spec))
        assert [one.path for one in wrong.fields] == [
            f"spec.targets[1].needs[0].artifacts[{index}]" for index in (1, 2)
        ]
        del need.artifacts[1:]
        assert (await fleet.submit(spec)).run.run_id


async def test_a_target_is_the_same_whatever_the_shell_has_and_another_one_with_another_suite_place_or_part(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as fleet:

        async def definition(**changes: Any) -> str:
            spec = noop(0)
            spec.suite.runner = "pytest"
            spec.targets.add(name="build")
            spec.targets.add(name="gpu").needs.add(target="build", when=suite_pb2.NEED_WHEN_CHANGED)
            spec.suite.variables["CI_JOB"] = changes.pop("job", "1")
            spec.suite.arguments.append(changes.pop("argument", "-q"))
            spec.targets[1].selector = changes.pop("selector", "")
            spec.policy.rerun_rule.fail_on_flaky = changes.pop("strict", False)
            spec.policy.shard.count = spec.policy.shard.index = changes.pop("shards", 1)
            run_id = (await fleet.submit(spec, str(uuid4()))).run.run_id
            return fleet.coordinator.writer.state.groups[f"{run_id}/gpu"].target.definition

        same = await definition()
        assert same
        assert await definition(job="2") == same
        for other in ({"argument": "-x"}, {"selector": "worker.slots > 1"}, {"shards": 2}, {"strict": True}):
            assert await definition(**other) != same


@pytest.mark.parametrize(
    ("names_lost", "why"),
    [(True, "has left no artifact in CROSSFLEET_ARTIFACTS"), (False, "may have left artifacts that are not stored")],
)
async def test_what_a_worker_of_an_earlier_version_has_left_is_never_unchanged(
    tmp_path: Path, names_lost: bool, why: str
) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        spec = noop(1)
        spec.targets.add(name="build")
        spec.targets.add(name="gpu").needs.add(target="build", when=suite_pb2.NEED_WHEN_CHANGED)
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        run_id = (await fleet.submit(spec)).run.run_id
        await worker.execute((await worker.next("assign")).assign)
        order = (await worker.next("close_allocation")).close_allocation
        await worker.give_back(order.allocation_id, names_lost=names_lost)
        await worker.next("assign")
        assert (await fleet.run(run_id)).targets[1].comparison == f"runs, since build {why}"


async def test_a_target_cannot_be_near_another_one_and_apart_from_it_whichever_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        spec = noop(1)
        spec.targets.add(name="server").apart.append("client")
        spec.targets.add(name="client").near.append("server")
        error = await refused(fleet.submit(spec))
    (field,) = error.fields
    assert field.path == "spec.targets[1].near"
    assert field.description == "server, and server and client are to be apart: leave one of the two out"


async def test_a_target_prefers_hosts_that_suit_those_that_are_to_be_near_it(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        spec = noop(1)
        spec.targets.add(name="server", selector="worker.slots > 1")
        client = spec.targets.add(name="client", selector='worker.labels.zone == "eu"', near=["server"])
        client.request.devices.add(device_class="gpu", selector='device.model == "a"')
        spec.targets.add(name="late", selector="history.failures == 0", near=["server"])
        run_id = (await fleet.submit(spec)).run.run_id
        request = fleet.coordinator.writer.state.groups[f"{run_id}/server"].target.request
    assert [(one.selector, one.weight) for one in request.preferred] == [
        ('worker.labels.zone == "eu"', 1000),
        ('device.class == "gpu" && (device.model == "a"\n)', 1000),
    ]


async def test_a_target_tests_a_suite_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        spec = noop(0)
        spec.suite.runner = "pytest"
        spec.targets.add(name="unit")
        lint = spec.targets.add(name="lint").suite
        lint.runner, lint.name = "noop", "lint"
        lint.variables["TOKEN"] = "secret"
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.hello(runners=["noop"])
        run = (await fleet.submit(spec)).run
        assert dict(run.spec.targets[1].suite.variables) == {"TOKEN": "***"}
        order = (await worker.next("open_allocation")).open_allocation
        assert (order.target, order.suite.runner, order.suite.variables["TOKEN"]) == ("lint", "noop", "secret")


async def test_a_run_whose_client_names_cases_has_one_suite(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        spec = noop(3)
        spec.targets.add(name="lint").suite.runner = "noop"
        wrong = await refused(fleet.submit(spec))
        assert wrong.fields[0].path == "spec.targets[0].suite"
