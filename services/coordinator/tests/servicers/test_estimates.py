"""EstimateRun and ExplainRun: when work will begin and end, and what it is behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.commands import ApplyPlan
from crossfleet.coordinator.core.proof import Proof
from crossfleet.foundation.errors import InvalidArgument, SelectorInvalid
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, noop, running
from services.coordinator.tests.servicers.estimated import (
    carried_out,
    estimate,
    executed,
    explain,
    learnt,
    measured,
    unnamed,
)
from services.coordinator.tests.servicers.test_priorities import put


async def test_an_estimate_goes_by_the_last_run_and_submits_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        _worker, first = await measured(fleet, slots=2)

        answer = await estimate(fleet, unnamed())
        runs = (await fleet.runs.ListRuns(run_service.ListRunsRequest())).runs

    (target,) = answer.targets
    assert [run.run_id for run in runs] == [first]
    assert (target.cases, target.unseen_cases, target.source_run_id, target.slots) == (20, 0, first, 2)
    assert target.source == run_service.CASE_SOURCE_LAST_RUN
    assert answer.HasField("start_seconds")
    assert answer.start_seconds.high == 0.0
    # Twenty cases of three seconds on two slots.
    assert answer.end_seconds.low < 30.0 < answer.end_seconds.high < 60.0
    assert 20.0 < answer.end_seconds.middle < 40.0


async def test_cases_that_were_never_measured_are_counted_and_those_that_skip_themselves_take_no_time(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=2)
        await worker.welcomed()
        await carried_out(fleet, worker, noop(10, title="first"), seconds=3.0, skipped=4)
        await learnt(fleet, 6)

        (known,) = (await estimate(fleet, unnamed())).targets
        (named,) = (await estimate(fleet, noop(12))).targets

    assert (known.cases, known.skipped_cases, known.unseen_cases) == (10, 4, 0)
    assert known.work_seconds.low < 18.0 < known.work_seconds.high
    assert (named.cases, named.skipped_cases, named.unseen_cases) == (12, 4, 2)
    assert named.source == run_service.CASE_SOURCE_NAMED
    assert 1.0 < named.unseen_seconds < 9.0
    assert named.work_seconds.middle > known.work_seconds.middle


async def test_a_run_with_other_arguments_is_said_to_have_other_cases(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=2)
        await worker.welcomed()
        await carried_out(fleet, worker, noop(4, title="all"))
        other = noop(2, title="some")
        other.suite.arguments.append("-k some")
        second = await carried_out(fleet, worker, other)

        (same,) = (await estimate(fleet, unnamed())).targets
        different = unnamed()
        different.suite.arguments.append("-k none")
        (unlike,) = (await estimate(fleet, different)).targets

    assert (same.cases, same.source) == (4, run_service.CASE_SOURCE_LAST_RUN)
    assert (unlike.cases, unlike.source) == (2, run_service.CASE_SOURCE_OTHER_RUN)
    assert unlike.source_run_id == second


async def test_of_a_suite_that_never_ran_only_the_beginning_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()

        answer = await estimate(fleet, unnamed())

    (target,) = answer.targets
    assert (target.cases, target.source) == (0, run_service.CASE_SOURCE_UNSPECIFIED)
    assert target.HasField("start_seconds")
    assert not target.HasField("end_seconds")
    assert not answer.HasField("end_seconds")


async def test_what_no_worker_can_take_has_a_reason_and_no_beginning(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()

        answer = await estimate(
            fleet, noop(3, targets=[suite_pb2.Target(name="gpu", selector='device.class == "gpu"')])
        )

    (target,) = answer.targets
    assert 'device.class == "gpu"' in target.waiting_reason
    assert not answer.HasField("start_seconds")
    assert target.HasField("work_seconds")


async def test_who_waits_behind_others_begins_when_these_are_expected_to_end(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=2)
        await fleet.submit(noop(20), "running")
        await worker.next("assign")
        waiting = (await fleet.submit(noop(20), "waiting")).run.run_id
        urgent = (await fleet.submit(noop(20, policy=suite_pb2.Policy(priority=5)), "urgent")).run.run_id

        behind, before = await explain(fleet, waiting), await explain(fleet, urgent)
        later = await estimate(fleet, unnamed())
        sooner = await estimate(fleet, unnamed(policy=suite_pb2.Policy(priority=9)))

    assert (before.queue.place, before.queue.groups_ahead) == (1, 0)
    assert (behind.queue.place, behind.queue.groups_ahead) == (2, 1)
    assert (behind.queue.slots, behind.queue.free_slots, behind.queue.groups_running) == (2, 0, 1)
    assert behind.queue.seconds_ahead.low < 120.0 < behind.queue.seconds_ahead.high
    # Sixty slot-seconds run on two slots, and as many are ahead.
    assert before.start_seconds.low < 30.0 < before.start_seconds.high
    assert behind.start_seconds.low < 60.0 < behind.start_seconds.high
    assert before.end_seconds.middle < behind.end_seconds.middle
    assert later.start_seconds.middle > behind.start_seconds.middle > sooner.start_seconds.middle
    assert later.targets[0].queue.groups_ahead == 2


async def test_who_is_due_first_is_foreseen_before_those_that_came_earlier(tmp_path: Path) -> None:
    hour = suite_pb2.Policy(deadline_in=Duration(seconds=3_600))
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=2)
        await fleet.submit(noop(20), "running")
        await worker.next("assign")
        plain = (await fleet.submit(noop(20), "plain")).run
        hurried = (await fleet.submit(noop(20, policy=hour), "hurried")).run

        behind, before = await explain(fleet, plain.run_id), await explain(fleet, hurried.run_id)
        sooner = await estimate(fleet, unnamed(policy=suite_pb2.Policy(deadline_in=Duration(seconds=60))))
        later = await estimate(fleet, unnamed(policy=suite_pb2.Policy(deadline_in=Duration(seconds=90_000))))
        kept = (await fleet.runs.GetRun(run_service.GetRunRequest(run_id=hurried.run_id))).run

    assert (before.queue.place, behind.queue.place) == (1, 2)
    assert before.end_seconds.middle < behind.end_seconds.middle
    assert (sooner.targets[0].queue.place, later.targets[0].queue.place) == (1, 3)
    assert kept.deadline.seconds == pytest.approx(kept.created_at.seconds + 3_600, abs=1)
    assert hurried.deadline == kept.deadline
    assert not plain.HasField("deadline")


async def test_a_target_that_runs_is_told_its_end_and_no_place(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=2)
        spec = noop(20, targets=[suite_pb2.Target(name="one", request=suite_pb2.Request(slots_max=2))])
        run_id = (await fleet.submit(spec, "again")).run.run_id
        await worker.next("assign")

        told = await explain(fleet, run_id)

    assert not told.HasField("queue")
    assert not told.HasField("start_seconds")
    assert told.end_seconds.low < 30.0 < told.end_seconds.high


async def test_every_clause_is_counted_also_where_some_workers_pass_them_all(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        for name, zone in (("w1", "eu"), ("w2", "us"), ("w3", "us")):
            worker = ScriptedWorker(fleet.channel, name)
            worker.description["host"] = name
            await labelled(worker, zone)
        selector = 'worker.labels.zone == "us" && worker.cpu_cores >= 2.0'
        run_id = (await fleet.submit(noop(2, targets=[suite_pb2.Target(name="us", selector=selector)]))).run.run_id

        told = await explain(fleet, run_id)

    assert (told.matching_workers, told.all_workers) == (2, 3)
    assert [(clause.passing, clause.considered) for clause in told.clauses] == [(2, 3), (3, 3)]
    assert "w1" in told.clauses[0].nearest_miss
    assert '"eu"' in told.clauses[0].nearest_miss
    assert told.clauses[1].nearest_miss == ""


async def test_an_explanation_says_which_alternative_counts_and_when_the_next_one_does(tmp_path: Path) -> None:
    best, good = 'worker.labels.zone == "us"', 'worker.labels.zone == "eu"'
    target = suite_pb2.Target(name="gpu")
    target.alternatives.add(selector=best).wait.seconds = 600
    target.alternatives.add(selector=good)
    spec = noop(2, targets=[target])
    spec.policy.unsatisfiable = suite_pb2.UNSATISFIABLE_WAIT
    async with running(tmp_path) as fleet:
        await labelled(ScriptedWorker(fleet.channel, "w1"), "eu")
        run_id = (await fleet.submit(spec)).run.run_id
        first, second = (await explain(fleet, run_id)).alternatives

    assert (first.number, first.selector, first.matching_workers) == (1, best, 0)
    assert first.standing == run_service.ALTERNATIVE_STANDING_OPEN
    assert not first.HasField("opens_in_seconds")
    assert (second.number, second.selector, second.matching_workers) == (2, good, 1)
    assert second.standing == run_service.ALTERNATIVE_STANDING_LATER
    assert 590 < second.opens_in_seconds <= 600


async def labelled(worker: ScriptedWorker, zone: str) -> None:
    hello = worker_pb2.Hello(protocol_version=1, first_unacknowledged_sequence=1)
    hello.worker.worker_id, hello.worker.incarnation, hello.worker.host = worker.name, "i1", worker.name
    hello.worker.slots, hello.worker.cpu_cores, hello.worker.labels["zone"] = 2, 2.0, zone
    hello.worker.runners.extend(["noop"])
    await worker.send(worker_pb2.WorkerMessage(hello=hello))
    await worker.next("welcome")


async def test_builds_are_kept_apart_and_borrow_from_the_one_without_a_name(tmp_path: Path) -> None:
    asan = suite_pb2.Target(name="asan", build="asan")
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=2)
        await worker.welcomed()
        await carried_out(fleet, worker, noop(10, title="plain"), seconds=1.0)
        await learnt(fleet, 10)
        (borrowed,) = (await estimate(fleet, noop(10, targets=[asan]))).targets
        await carried_out(fleet, worker, noop(10, title="asan", targets=[asan]), seconds=20.0)
        await learnt(fleet, 10, build="asan")

        (plain,) = (await estimate(fleet, noop(10))).targets
        (own,) = (await estimate(fleet, noop(10, targets=[asan]))).targets

    assert borrowed.unseen_cases == 0
    assert borrowed.work_seconds.low < 10.0 < borrowed.work_seconds.high
    assert plain.work_seconds.high < 20.0
    assert own.work_seconds.low > 100.0


async def test_a_target_begins_when_those_that_it_needs_have_ended(tmp_path: Path) -> None:
    needing = suite_pb2.Target(name="second", needs=[suite_pb2.Need(target="first")])
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=2)
        await worker.welcomed()
        await carried_out(fleet, worker, noop(10, title="before"), seconds=3.0)
        await learnt(fleet, 10)

        answer = await estimate(fleet, noop(10, targets=[needing, suite_pb2.Target(name="first")]))

    second, first = answer.targets
    assert first.start_seconds.high == 0.0
    assert second.start_seconds.middle == pytest.approx(first.end_seconds.middle)
    assert second.end_seconds.middle > 1.8 * first.end_seconds.middle
    assert answer.end_seconds == second.end_seconds


async def test_a_target_that_may_be_skipped_counts_for_nothing_at_the_soonest_and_in_full_at_the_latest(
    tmp_path: Path,
) -> None:
    compares = suite_pb2.Need(target="build", when=suite_pb2.NEED_WHEN_CHANGED)
    targets = [suite_pb2.Target(name="build"), suite_pb2.Target(name="gpu", needs=[compares])]
    targets.append(suite_pb2.Target(name="last", needs=[suite_pb2.Need(target="gpu")]))
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=2)
        await worker.welcomed()
        run_id = (await fleet.submit(noop(10, targets=targets), "before")).run.run_id
        for _ in targets:
            await worker.give_back(await executed(worker, 10, seconds=3.0))
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        await learnt(fleet, 10)
        unproved = await estimate(fleet, noop(10, targets=targets))
        fleet.coordinator.writer.state.proofs.add(Proof("default", "noop", "gpu", "inputs", run_id, 0.0))

        proved = await estimate(fleet, noop(10, targets=targets))
        all_run = suite_pb2.Policy(unchanged_too=True)
        others = [await estimate(fleet, noop(10, targets=targets, policy=all_run))]
        targets[1].selector = "worker.slots > 1"
        others.append(await estimate(fleet, noop(10, targets=targets)))

    build, gpu, last = proved.targets
    assert gpu.end_seconds.low == build.end_seconds.low <= gpu.start_seconds.low
    assert last.start_seconds.low == gpu.end_seconds.low
    assert (gpu.end_seconds.middle, gpu.end_seconds.high) == (
        unproved.targets[1].end_seconds.middle,
        unproved.targets[1].end_seconds.high,
    )
    assert proved.end_seconds == last.end_seconds
    assert proved.end_seconds.low < 0.8 * unproved.end_seconds.low
    assert proved.start_seconds == unproved.start_seconds
    for answer in others:
        assert answer.targets[1].end_seconds.low > answer.targets[1].start_seconds.low
        assert answer.end_seconds.low > 0.9 * unproved.end_seconds.low


async def test_who_preempts_is_foreseen_to_begin_when_others_have_given_way(tmp_path: Path) -> None:
    batch = suite_pb2.Policy(priority_class="batch")
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker, _ = await measured(fleet, slots=2)
        await put(fleet, "batch", -10, preemptible=True, grace=Duration(seconds=60))
        await put(fleet, "urgent", 100, preempts=True)
        await fleet.submit(noop(20, policy=batch), "running")
        await worker.next("assign")

        taking = await estimate(fleet, unnamed(policy=suite_pb2.Policy(priority_class="urgent")))
        waiting = await estimate(fleet, unnamed(policy=suite_pb2.Policy(priority=100)))
        run_id = (await fleet.submit(noop(20, policy=suite_pb2.Policy(priority_class="urgent")), "urgent")).run.run_id
        before = await explain(fleet, run_id)
        (held,) = fleet.coordinator.writer.state.allocations
        await fleet.coordinator.writer.submit(ApplyPlan("revoking", (), (held,)))
        told = await explain(fleet, run_id)

    # A case of three seconds executes on each of two slots, which have sixty slot-seconds before them.
    assert waiting.start_seconds.low > 10.0
    for answer in (taking, before, told):
        assert 0.0 < answer.start_seconds.high < waiting.start_seconds.low
        assert answer.end_seconds.high < waiting.end_seconds.middle
    assert re.search(r"being given back: 2 slots of run-\w+ default within (60|5\d) s$", told.waiting_reason)


async def test_of_what_is_held_back_by_another_target_no_time_is_told(tmp_path: Path) -> None:
    needing = suite_pb2.Target(name="second", needs=[suite_pb2.Need(target="first")])
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel).welcomed()
        spec = noop(2, targets=[needing, suite_pb2.Target(name="first")])
        run_id = (await fleet.submit(spec)).run.run_id

        told = await explain(fleet, run_id)

    assert "first" in told.waiting_reason
    assert not told.HasField("queue")
    assert not told.HasField("start_seconds")
    assert not told.HasField("end_seconds")


async def test_a_target_with_a_suite_of_its_own_goes_by_the_last_run_of_that_suite(tmp_path: Path) -> None:
    own = suite_pb2.Suite(name="noop", runner="noop")
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True), suite=suite_pb2.Suite(name="other"))
    spec.targets.extend([suite_pb2.Target(name="default", suite=own), suite_pb2.Target(name="plain")])
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=2)
        await worker.welcomed()
        await carried_out(fleet, worker, noop(4, title="before"), seconds=3.0)
        await learnt(fleet, 4)

        known, unknown = (await estimate(fleet, spec)).targets

    assert (known.cases, known.unseen_cases, known.source) == (4, 0, run_service.CASE_SOURCE_LAST_RUN)
    assert unknown.cases == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda spec: spec.targets.add(name="x y"), InvalidArgument),
        (lambda spec: spec.targets.add(name="x", build="not a name"), InvalidArgument),
        (lambda spec: spec.targets.add(name="x", selector="no_such == 1"), SelectorInvalid),
    ],
)
async def test_what_could_not_be_submitted_cannot_be_estimated(tmp_path: Path, change: Any, error: type) -> None:
    spec = noop(1)
    change(spec)
    async with running(tmp_path) as fleet:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await estimate(fleet, spec)

    assert isinstance(error_from_rpc(caught.value), error)
