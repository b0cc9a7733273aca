from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.foundation.errors import (
    BlobsMissing,
    CrossfleetError,
    IdempotencyConflict,
    InvalidArgument,
    LocalPathRefused,
    PageTokenInvalid,
    RunNotFound,
    SchedulerNotFound,
    SelectorInvalid,
    WorkspaceNotFound,
)
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running


async def refused(call) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def test_the_same_request_again_answers_the_same_run(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = await fleet.submit(noop(3))
        again = await fleet.submit(noop(3))

    assert again.run.run_id == first.run.run_id
    assert again.run.counts == first.run.counts
    assert first.run.counts.pending == 3


async def test_the_same_request_after_a_restart_answers_the_same_run(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = await fleet.submit(noop(3))
    async with running(tmp_path) as fleet:
        again = await fleet.submit(noop(3))

    assert again.run.run_id == first.run.run_id
    assert again.event_cursor == first.event_cursor


async def test_a_request_id_with_another_spec_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        await fleet.submit(noop(3))

        error = await refused(fleet.submit(noop(4)))

    assert isinstance(error, IdempotencyConflict)


async def test_answers_name_the_variables_of_a_suite_and_hide_their_values(tmp_path: Path) -> None:
    spec = noop(1)
    spec.suite.variables["API_KEY"] = "hidden-1"
    spec.targets.add(name="cpu").environment.variables["TOKEN"] = "hidden-2"
    async with running(tmp_path) as fleet:
        submitted = (await fleet.submit(spec)).run
        asked = (await fleet.runs.GetRun(run_service.GetRunRequest(run_id=submitted.run_id))).run

    for run in (submitted, asked):
        assert dict(run.spec.suite.variables) == {"API_KEY": "***"}
        assert dict(run.spec.targets[0].environment.variables) == {"TOKEN": "***"}


async def test_every_wrong_field_is_named_with_its_path(tmp_path: Path) -> None:
    spec = noop(1)
    spec.project = "a b"
    spec.suite.root = "../up"
    spec.policy.max_failures = -1
    spec.policy.priority = 5000
    spec.targets.add(name="twice")
    spec.targets.add(name="twice")
    spec.targets.add(name="x/y").request.cpu_cores = -1
    async with running(tmp_path) as fleet:
        error = await refused(fleet.submit(spec, ""))

    assert isinstance(error, InvalidArgument)
    assert {field.path for field in error.fields} == {
        "request_id",
        "spec.project",
        "spec.suite.root",
        "spec.policy.max_failures",
        "spec.policy.priority",
        "spec.targets[1].name",
        "spec.targets[2].name",
        "spec.targets[2].request.cpu_cores",
    }


async def test_a_selector_that_does_not_compile_is_shown_with_its_column(tmp_path: Path) -> None:
    spec = noop(1, targets=[suite_pb2.Target(name="gpu", selector='device.class == "gpu" && device.memory >')])
    async with running(tmp_path) as fleet:
        error = await refused(fleet.submit(spec))

    assert isinstance(error, SelectorInvalid)
    assert int(error.metadata["column"]) > 20
    assert error.metadata["target"] == "gpu"
    assert [field.path for field in error.fields] == ["spec.targets[0].selector"]


async def test_a_missing_workspace_is_named(tmp_path: Path) -> None:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(tmp_path / "nowhere")))
    async with running(tmp_path / "data") as fleet:
        error = await refused(fleet.submit(spec))
        relative = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path="here"))
        second = await refused(fleet.submit(relative))
        third = await refused(fleet.submit(run_pb2.RunSpec()))

    assert isinstance(error, WorkspaceNotFound)
    assert error.metadata["path"] == str(tmp_path / "nowhere")
    assert [field.path for field in second.fields] == ["spec.workspace.local_path"]
    assert [field.path for field in third.fields] == ["spec.workspace.source"]


async def test_local_paths_are_refused_on_a_fleet_of_other_machines(tmp_path: Path) -> None:
    in_place = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(tmp_path)))
    python = noop(1)
    python.targets.add(name="here").environment.local_python = "/usr/bin/python3"
    async with running(tmp_path / "data", embedded=False) as fleet:
        first, second = await refused(fleet.submit(in_place)), await refused(fleet.submit(python))

    assert isinstance(first, LocalPathRefused)
    assert isinstance(second, LocalPathRefused)


async def test_a_manifest_that_was_not_uploaded_is_refused(tmp_path: Path) -> None:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(manifest_digest="0" * 64))
    async with running(tmp_path) as fleet:
        error = await refused(fleet.submit(spec))

    assert isinstance(error, BlobsMissing)
    assert error.metadata["digests"] == "0" * 64


async def test_another_scheduler_than_the_fleet_has_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        error = await refused(fleet.submit(noop(1, policy=suite_pb2.Policy(scheduler="mine"))))

    assert isinstance(error, SchedulerNotFound)


async def test_a_cancelled_run_is_over_and_its_cases_are_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        submitted = await fleet.submit(noop(3))
        assign = (await worker.next("assign")).assign
        request = run_service.CancelRunRequest(run_id=submitted.run.run_id, reason="enough")

        answer = await fleet.runs.CancelRun(request)
        cancel = (await worker.next("cancel_attempts")).cancel_attempts
        again = await fleet.runs.CancelRun(request)

    assert (answer.run.verdict, answer.run.cause) == (run_pb2.RUN_VERDICT_CANCELLED, "enough")
    assert answer.run.counts.cancelled == 3
    assert set(cancel.attempt_ids) >= {assign.tasks[0].attempt_id}
    assert again.run.cause == "enough"


async def test_a_run_over_its_time_limit_is_stopped(tmp_path: Path) -> None:
    spec = noop(1)
    spec.policy.run_timeout.FromMilliseconds(50)
    async with running(tmp_path) as fleet:
        submitted = await fleet.submit(spec)
        run = await fleet.until(submitted.run.run_id, run_pb2.RUN_STATE_FINISHED)

    assert run.verdict == run_pb2.RUN_VERDICT_CANCELLED
    assert "time limit" in run.cause


async def listed(fleet: Running, size: int) -> list[str]:
    found, token = [], ""
    while True:
        page = await fleet.runs.ListRuns(run_service.ListRunsRequest(page_size=size, page_token=token))
        found += [run.run_id for run in page.runs]
        token = page.next_page_token
        if not token:
            return found


async def test_pages_of_runs_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        made = [(await fleet.submit(noop(1), f"r{number}")).run.run_id for number in range(5)]

        assert await listed(fleet, 2) == made[::-1]
        assert await listed(fleet, 5) == made[::-1]


async def test_a_token_of_another_list_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        for number in range(2):
            await fleet.submit(noop(1), f"r{number}")
        page = await fleet.runs.ListRuns(run_service.ListRunsRequest(page_size=1))
        token = page.next_page_token
        other = run_service.ListRunsRequest(page_size=1, page_token=token, project="other")

        assert isinstance(await refused(fleet.runs.ListRuns(other)), PageTokenInvalid)
        garbage = run_service.ListRunsRequest(page_token="garbage")
        assert isinstance(await refused(fleet.runs.ListRuns(garbage)), PageTokenInvalid)


async def test_pages_of_cases_cover_all_targets_in_order(tmp_path: Path) -> None:
    spec = noop(5, targets=[suite_pb2.Target(name="b"), suite_pb2.Target(name="a")])
    async with running(tmp_path) as fleet:
        run_id = (await fleet.submit(spec)).run.run_id
        found, token = [], ""
        while True:
            request = run_service.ListCasesRequest(run_id=run_id, page_size=3, page_token=token)
            page = await fleet.runs.ListCases(request)
            found += [(case.target, case.case_id) for case in page.cases]
            token = page.next_page_token
            if not token:
                break

    assert found == [(target, f"case-{number}") for target in "ba" for number in range(5)]


async def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        error = await refused(fleet.run("run-0"))
        run_id = (await fleet.submit(noop(1))).run.run_id
        case = await refused(fleet.runs.GetCase(run_service.GetCaseRequest(run_id=run_id, case_id="nope")))
        target = await refused(fleet.runs.ListCases(run_service.ListCasesRequest(run_id=run_id, target="nope")))

    assert isinstance(error, RunNotFound)
    assert error.metadata["run"] == "run-0"
    assert case.reason == "CASE_NOT_FOUND"
    assert target.reason == "TARGET_NOT_FOUND"


async def test_an_explanation_counts_the_workers_that_pass_each_clause(tmp_path: Path) -> None:
    target = suite_pb2.Target(name="t", selector='worker.cpu_cores >= 1.0 && worker.labels.zone == "eu"')
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel).welcomed()
        run_id = (await fleet.submit(noop(1, targets=[target]))).run.run_id
        answer = await fleet.runs.ExplainRun(run_service.ExplainRunRequest(run_id=run_id))

    explained = answer.targets[0]
    assert (explained.matching_workers, explained.all_workers) == (0, 1)
    assert [(clause.passing, clause.considered) for clause in explained.clauses] == [(1, 1), (0, 1)]


async def test_a_case_that_is_run_again_is_answered_with_its_earlier_failure_and_its_history(tmp_path: Path) -> None:
    spec = noop(1)
    spec.policy.max_reruns = 1
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        run_id = (await fleet.submit(spec)).run.run_id
        for outcome in (result_pb2.OUTCOME_FAILED, result_pb2.OUTCOME_PASSED):
            await worker.execute((await worker.next("assign")).assign, outcome)
        run = await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        case = (await fleet.runs.GetCase(run_service.GetCaseRequest(run_id=run_id, case_id="case-0"))).case
        answer = await fleet.runs.ListCaseHistory(run_service.ListCaseHistoryRequest())
        worker.leave()

    assert (run.verdict, run.counts.flaky, run.counts.passed) == (run_pb2.RUN_VERDICT_PASSED, 1, 0)
    assert (case.outcome, len(case.earlier)) == (result_pb2.OUTCOME_FLAKY, 1)
    assert case.earlier[0].worker_id == "w1"
    (history,) = answer.cases
    assert (history.case_id, history.recent, history.runs.flaky) == ("case-0", "R", 1)


async def test_attempts_and_targets_say_by_which_alternative_they_are_and_a_run_what_it_cost(tmp_path: Path) -> None:
    target = suite_pb2.Target(name="gpu")
    target.alternatives.add(selector="worker.slots > 0", wait=Duration(seconds=60))
    target.alternatives.add(selector="worker.slots > 100")
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        worker.description["labels"] = {"cost_per_hour": "7200"}
        await worker.welcomed()
        run_id = (await fleet.submit(noop(1, targets=[target]))).run.run_id
        opened = (await worker.next("open_allocation")).open_allocation
        await worker.execute((await worker.next("assign")).assign, result_pb2.OUTCOME_PASSED)
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        await worker.give_back(opened.allocation_id)

        async def priced() -> run_pb2.Run | None:
            run = (await fleet.runs.GetRun(run_service.GetRunRequest(run_id=run_id))).run
            return run if run.HasField("cost") else None

        run = await eventually(priced, deadline=30, what="the slots are given back")
        (attempt,) = (await fleet.runs.ListAttempts(run_service.ListAttemptsRequest(run_id=run_id))).attempts
        worker.leave()

    assert run is not None
    assert attempt.alternative == 1
    assert run is not None
    assert [(one.number, one.selector) for one in run.targets[0].alternatives] == [(1, "worker.slots > 0")]
    assert 0 < run.cost < 60


async def test_wrong_rules_for_reruns_and_questions_about_histories_are_named(tmp_path: Path) -> None:
    spec = noop(1)
    spec.policy.max_reruns = 101
    spec.policy.rerun_rule.only.extend(["fine", "(unclosed"])
    spec.policy.rerun_rule.delay.seconds = 4000
    async with running(tmp_path) as fleet:
        error = await refused(fleet.submit(spec))
        asked = run_service.ListCaseHistoryRequest(pattern="x" * 501, max_runs=-1)
        second = await refused(fleet.runs.ListCaseHistory(asked))
        third = await refused(fleet.runs.ListCaseHistory(run_service.ListCaseHistoryRequest(page_token="x")))

    assert isinstance(error, InvalidArgument)
    assert [field.path.removeprefix("spec.policy.") for field in error.fields] == [
        "max_reruns",
        "rerun_rule.delay",
        "rerun_rule.only[1]",
    ]
    assert isinstance(second, InvalidArgument)
    assert {field.path for field in second.fields} == {"pattern", "max_runs"}
    assert isinstance(third, PageTokenInvalid)
