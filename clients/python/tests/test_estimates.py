"""`crossfleet estimate`, and what `explain` says of the time to come."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from clients.python.tests.scripted_fleet import Script
from clients.python.tests.test_commands import fleet_and_shell
from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.api.coordinator.v1.admin_service_pb2 import PriorityClass
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli.reporting.preemption import preemption
from crossfleet.cli.reporting.prospects import alternatives, estimated, may_skip, outlook, rough, when
from crossfleet.cli.running.matrix import plan_targets
from crossfleet.cli.running.options import parse

PYTEST = (sys.executable, "-m", "pytest")
AT_ONCE = wire.Interval()


def between(low: float, middle: float, high: float) -> wire.Interval:
    return wire.Interval(low=low, middle=middle, high=high)


def target(name: str = "default", **more: Any) -> wire.TargetEstimate:
    values: dict[str, Any] = {
        "target": name,
        "cases": 480,
        "source": wire.CASE_SOURCE_LAST_RUN,
        "source_run_id": "run-1",
        "source_finished_at": Timestamp(seconds=1_790_000_000),
        "work_seconds": between(400, 460, 530),
        "setup_seconds": between(1, 2, 4),
        "slots": 2,
        "start_seconds": AT_ONCE,
        "end_seconds": between(190, 240, 350),
    }
    return wire.TargetEstimate(**{**values, **more})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0 s"), (0.4, "0.4 s"), (9.97, "10 s"), (75, "75 s"), (100, "1.7 min"), (240, "4 min"), (7600, "2.1 h")],
)
def test_a_time_is_said_as_exactly_as_an_estimate_deserves(seconds: float, text: str) -> None:
    assert rough(seconds) == text


def test_an_interval_is_said_once_where_its_ends_are_the_same() -> None:
    assert when(between(190, 240, 350)) == "in about 4 min, likely between 3.2 and 5.8 min"
    assert when(between(50, 80, 130)) == "in about 80 s, likely between 50 s and 2.2 min"
    assert when(between(20.1, 20.2, 20.3)) == "in about 20 s"
    assert when(AT_ONCE) == "at once"
    assert when(between(0, 0.1, 0.5)) == "within a second"
    assert when(between(0, 0, 50)) == "within 50 s"


def test_the_end_is_said_first_and_what_was_assumed_after_it() -> None:
    one = target(unseen_cases=12, unseen_seconds=9.0, skipped_cases=3)
    answer = wire.EstimateRunResponse(targets=[one], start_seconds=AT_ONCE, end_seconds=one.end_seconds)

    lines = list(estimated(answer))

    assert lines[:2] == ["ends in about 4 min, likely between 3.2 and 5.8 min", "begins at once"]
    assert lines[2].startswith("480 cases, as in run-1, which ended at 2026-")
    assert lines[3:] == [
        "12 of 480 cases have never been measured: 9 s assumed each, by the cases that they are like",
        "3 of them skipped themselves last time, and take no time",
        "7.7 min of work on 2 slots, 2 s before the first case",
    ]


def test_what_cannot_be_known_is_not_said_as_a_number() -> None:
    unknown = wire.TargetEstimate(target="default", start_seconds=AT_ONCE)
    never = wire.TargetEstimate(target="default", waiting_reason="no worker of 2 can take it")

    first = list(estimated(wire.EstimateRunResponse(targets=[unknown], start_seconds=AT_ONCE)))
    second = list(estimated(wire.EstimateRunResponse(targets=[never])))

    assert first == [
        "begins at once",
        "no case is known: in this project no run of this suite has ended yet, so that only its beginning can be told",
    ]
    assert second[0] == "cannot begin as the fleet is now: no worker of 2 can take it"


def test_a_quota_that_is_waited_for_is_said_in_the_place_of_the_queue() -> None:
    lacking = "it needs 1 slot, and the quota of project ml is 2: held by run-7 (2)"
    waits = target(quota_wait=lacking, start_seconds=between(60, 90, 200))
    lines = list(estimated(wire.EstimateRunResponse(targets=[waits], start_seconds=waits.start_seconds)))

    assert lines[:2] == [
        "begins in about 1.5 min, likely between 60 s and 3.3 min",
        f"waits for its project's quota: {lacking}",
    ]


def test_an_alternative_that_a_quota_never_allows_is_said_with_its_cause() -> None:
    told = wire.TargetExplanation()
    passed = wire.ALTERNATIVE_STANDING_PASSED
    told.alternatives.add(number=1, selector="device.a", standing=passed, matching_workers=1, cause="it needs 2 gpu")
    told.alternatives.add(number=2, standing=wire.ALTERNATIVE_STANDING_OPEN, matching_workers=3)

    assert list(alternatives(told)) == [
        "alternative 1 is passed over: device.a (1 worker fits; it needs 2 gpu)",
        "alternative 2 counts: any worker (3 workers fit)",
    ]


def test_each_of_several_targets_is_said_with_its_own_times() -> None:
    slow = target("gpu", start_seconds=between(60, 90, 200), end_seconds=between(500, 600, 900))
    slow.queue.CopyFrom(
        wire.QueuePlace(
            place=3, groups_ahead=2, groups_running=1, unknown_ahead=1, slots=4, seconds_ahead=between(100, 300, 900)
        )
    )
    answer = wire.EstimateRunResponse(
        targets=[target("cpu"), slow], start_seconds=AT_ONCE, end_seconds=slow.end_seconds
    )

    lines = list(estimated(answer))

    assert "cpu: begins at once; ends in about 4 min, likely between 3.2 and 5.8 min" in lines
    assert (
        "gpu: begins in about 1.5 min, likely between 60 s and 3.3 min; ends in about 10 min, likely between 8.3 and 15 min"
        in lines
    )
    assert (
        "gpu: place 3 in the queue: 2 groups ahead and 1 group running with about 5 min of slot time (1 of them never ran before: a guess); "
        "0 of 4 slots that it could use are free"
    ) in lines


def test_a_run_that_waits_is_told_its_place_its_beginning_and_its_end() -> None:
    queue = wire.QueuePlace(place=1, slots=2, free_slots=1)
    told = wire.TargetExplanation(queue=queue, start_seconds=between(3, 5, 8), end_seconds=between(9, 12, 20))
    unknown = wire.TargetExplanation(queue=queue, start_seconds=AT_ONCE)

    assert list(outlook(told)) == [
        "next in the queue; 1 of 2 slots that it could use is free",
        "begins in about 5 s, likely between 3 and 8 s",
        "ends in about 12 s, likely between 9 and 20 s",
    ]
    assert list(outlook(unknown))[-1].startswith("its end cannot be told")


def changed(*needs: str, **more: Any) -> run_pb2.RunSpec:
    """A run with a target that is skipped where what these leave has not changed."""
    spec = run_pb2.RunSpec(**more)
    spec.targets.add(name="build")
    for need in needs:
        spec.targets.add(name="gpu").needs.add(target=need, when=suite_pb2.NEED_WHEN_CHANGED)
    return spec


def test_a_target_that_may_be_skipped_is_said_to_be_with_what_must_stay_and_since_when() -> None:
    begins = between(190, 240, 350)
    gpu = target("gpu", start_seconds=begins, end_seconds=between(190, 600, 900))
    answer = wire.EstimateRunResponse(targets=[target("build"), gpu])

    skips = may_skip(answer, changed("build"))

    assert skips == {"gpu": ["build"]}
    assert list(estimated(answer, skips=skips))[-1] == "gpu: or nothing, if build leaves what it left in run-1"
    gpu.source_run_id = ""
    collected = wire.EstimateRunResponse(targets=[gpu])
    assert list(estimated(collected, skips={"gpu": ["build", "data"]}))[-1] == (
        "or nothing, if build and data leave what they left when this passed last"
    )


def test_a_target_that_no_earlier_run_stands_for_or_that_compares_nothing_is_not_said_to_be_skipped() -> None:
    begins = between(190, 240, 350)
    whole = target("gpu", start_seconds=begins, end_seconds=between(400, 600, 900))
    skipped = target("gpu", start_seconds=begins, end_seconds=between(190, 600, 900))

    assert not may_skip(wire.EstimateRunResponse(targets=[whole]), changed("build"))
    assert not may_skip(wire.EstimateRunResponse(targets=[skipped]), changed())
    all_run = changed("build", policy=suite_pb2.Policy(unchanged_too=True))
    assert not may_skip(wire.EstimateRunResponse(targets=[skipped]), all_run)


def test_who_takes_slots_from_whom_is_said_of_the_run_s_own_class() -> None:
    grace = Duration(seconds=30)
    classes = [
        PriorityClass(name="urgent", priority=100, preempts=True, projects=["release"]),
        PriorityClass(name="default", priority=0, preempts=True, preemptible=True),
        PriorityClass(name="batch", priority=-10, preemptible=True, grace=grace),
        PriorityClass(name="idle", priority=-20, preemptible=True, grace=Duration()),
        PriorityClass(name="kept", priority=-30),
    ]

    def said(name: str = "", priority: int = 0, project: str = "") -> list[str]:
        policy = suite_pb2.Policy(priority_class=name, priority=priority)
        found = preemption(classes, run_pb2.RunSpec(project=project, policy=policy))
        return [] if found is None else list(found.lines())

    assert said() == [
        "of class default: where nothing is free it takes slots from runs of batch, idle",
        "of class default: may be preempted by runs of urgent; it then gives slots back between two tasks. That is not counted here",
    ]
    assert said("urgent", project="release") == [
        "of class urgent: where nothing is free it takes slots from runs of default, batch, idle"
    ]
    (batch,) = said("batch")
    assert batch == (
        "of class batch: may be preempted by runs of urgent, default; a case then may go on for 30 s, and is executed again "
        "elsewhere if it has not passed. That is not counted here"
    )
    assert "a case then is ended at once" in said("idle")[0]
    # No class, one that takes and gives nothing, one that is not the project's.
    assert said(priority=7) == said("kept") == said("urgent") == []


async def test_an_estimate_asks_for_what_run_would_submit_and_sends_no_file_or_variable(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a(): pass\n")
    script = Script(estimate=wire.EstimateRunResponse(targets=[target()], start_seconds=AT_ONCE))
    words = ("--target", "here=", "--build", "asan", "--priority", "7", "--env", "SECRET_OF_THE_SHELL")
    async with fleet_and_shell(tmp_path, script) as (fleet, shell):
        text = await shell("estimate", *words, "--", *PYTEST, "-q", "test_a.py")
        document = await shell("estimate", *words, "--output", "json", "--", *PYTEST, "-q", "test_a.py")
        await shell("run", "-qq", *words, "--", *PYTEST, "-q", "test_a.py")
        (run,) = fleet.runs.by_request.values()

    assert (text.status, document.status) == (0, 0), (text, document)
    assert "begins at once" in text.out
    assert json.loads(document.out)["estimate"]["targets"][0]["cases"] == 480
    asked = fleet.runs.estimated[0]
    assert fleet.runs.estimated == [asked, asked]
    assert asked.suite.arguments == run.spec.suite.arguments
    assert (asked.suite.name, asked.suite.root, asked.policy) == (
        run.spec.suite.name,
        run.spec.suite.root,
        run.spec.policy,
    )
    assert [(one.name, one.build) for one in asked.targets] == [("here", "asan")]
    assert asked.workspace.none
    assert b"s3cret" not in asked.SerializeToString()
    assert not fleet.blobs.stored


def test_targets_that_name_no_build_get_the_one_of_the_command_line(tmp_path: Path) -> None:
    matrix = tmp_path / "targets.toml"
    matrix.write_text('[[target]]\nname = "fast"\nbuild = "release"\n[[target]]\nname = "slow"\n')

    planned = plan_targets(parse(["--matrix", str(matrix), "--build", "asan", "--", "pytest"]))

    assert [(one.name, one.build) for one in planned] == [("fast", "release"), ("slow", "asan")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("estimate",), "name what to run after `--`, for instance: crossfleet estimate -- pytest tests"),
        (("estimate", "--local", "--", "pytest"), "--local"),
        (("estimate", "--prioritty", "1", "--", "pytest"), "--priority"),
        (("estimate", "--output", "yaml", "--", "pytest"), "yaml"),
    ],
)
async def test_mistakes_of_a_person_are_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    async with fleet_and_shell(tmp_path, Script()) as (fleet, shell):
        ended = await shell(*words)

    assert (ended.status, said in ended.err) == (2, True), ended
    assert not fleet.runs.estimated
