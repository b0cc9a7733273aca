"""The RunSpec of a command line."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.quiet import callers_environment
from crossfleet.cli.running.alternatives import Alternative
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.devices import with_amounts
from crossfleet.cli.running.matrix import TargetPlan
from crossfleet.cli.running.options import LEARNT, RunOptions, pairs
from crossfleet.cli.running.planning import RunPlan
from crossfleet.cli.running.reruns import Reruns

TITLE_BYTES = 500
_PLACEMENTS = {
    "": suite_pb2.PLACEMENT_UNSPECIFIED,
    "pack": suite_pb2.PLACEMENT_PACK,
    "spread": suite_pb2.PLACEMENT_SPREAD,
}
_WHENS = {
    "passed": suite_pb2.NEED_WHEN_PASSED,
    "finished": suite_pb2.NEED_WHEN_FINISHED,
    "changed": suite_pb2.NEED_WHEN_CHANGED,
}
_GROUPINGS = {
    "": suite_pb2.GROUPING_UNSPECIFIED,
    "file": suite_pb2.GROUPING_FILE,
    "scope": suite_pb2.GROUPING_SCOPE,
    "mark": suite_pb2.GROUPING_MARK,
    "suite": suite_pb2.GROUPING_SUITE,
}


def suite_of(
    command: Command, options: RunOptions, folder: Path, root: Path, variables: Mapping[str, str]
) -> suite_pb2.Suite:
    """What runs: in `folder`, which lies in the workspace `root`."""
    return suite_pb2.Suite(
        name=suite_name(folder),
        runner=command.runner,
        arguments=command.arguments,
        root="" if folder == root else folder.relative_to(root).as_posix(),
        variables=variables,
        junit_globs=options.collect_junit,
        as_module=command.as_module,
    )


def suite_name(folder: Path) -> str:
    """What a suite in `folder` is called."""
    return folder.name[:200] or "root"


def target_of(plan: TargetPlan, default_python: str, slots: int | None = None) -> suite_pb2.Target:
    """One target; `default_python` is used where the plan names no environment, and may be empty.

    `slots` is the most that it takes where the plan does not say.
    """
    environment = suite_pb2.Environment(python_version=plan.python_version, variables=plan.variables)
    if plan.requirements:
        environment.requirements = plan.requirements
    elif plan.python or default_python:
        environment.local_python = plan.python or default_python
    request = {**({"slots_max": slots} if slots else {}), **plan.request}
    devices = _devices(request.pop("devices", ()))
    preferred = [suite_pb2.Preference(**wish) for wish in request.pop("preferred", ())]
    placement = _PLACEMENTS[request.pop("placement", "")]
    if "gates" in request:
        request["gates"] = _gates(request["gates"])
    return suite_pb2.Target(
        name=plan.name,
        selector=plan.selector,
        build=plan.build,
        environment=environment,
        request=suite_pb2.Request(devices=devices, preferred=preferred, placement=placement, **request),
        needs=[
            suite_pb2.Need(target=need.target, when=_WHENS[need.when], artifacts=need.artifacts) for need in plan.needs
        ],
        alternatives=[_alternative(one) for one in plan.alternatives],
        near=plan.near,
        apart=plan.apart,
    )


def _devices(tables: Sequence[Mapping[str, Any]]) -> list[suite_pb2.DeviceRequest]:
    return [suite_pb2.DeviceRequest(**with_amounts(one)) for one in tables]


def _alternative(plan: Alternative) -> suite_pb2.Alternative:
    message = suite_pb2.Alternative(selector=plan.selector, devices=_devices(plan.devices))
    if plan.wait:
        message.wait.CopyFrom(_duration(plan.wait))
    return message


def targets_of(
    plan: RunPlan, options: RunOptions, folder: Path, root: Path, variables: Mapping[str, str], python: str
) -> list[suite_pb2.Target]:
    """All targets, those with a command of their own with a suite of their own; `python` is for the others."""
    messages = []
    for target in plan.targets:
        command = plan.own.get(target.name, plan.command)
        slots = command.pytest.slots if command.pytest else None
        message = target_of(target, "" if target.name in plan.own else python, slots)
        if target.name in plan.own:
            message.suite.CopyFrom(suite_of(command, options, folder, root, variables))
        messages.append(message)
    return messages


def policy_of(command: Command, options: RunOptions) -> suite_pb2.Policy:
    """How it is carried out. --maxfail and --keep-going win over pytest's own -x and --maxfail, as --reruns does."""
    from_pytest = command.pytest.max_failures if command.pytest else None
    failures = options.max_failures if options.max_failures is not None else from_pytest or 0
    policy = suite_pb2.Policy(
        max_failures=failures,
        memory_limit_bytes=options.memory_limit,
        priority=options.priority if isinstance(options.priority, int) else 0,
        priority_class=options.priority if isinstance(options.priority, str) else "",
        scheduler=options.scheduler,
        speculate_percent=options.speculate,
        unchanged_too=options.unchanged_too,
        grouping=_GROUPINGS[command.pytest.grouping if command.pytest else ""],
        unsatisfiable=suite_pb2.UNSATISFIABLE_WAIT if options.wait else suite_pb2.UNSATISFIABLE_FAIL,
    )
    _add_reruns(policy, options.reruns.over(command.reruns))
    if options.timeout:
        policy.run_timeout.CopyFrom(_duration(options.timeout))
    if options.deadline is not None and options.deadline.at is not None:
        policy.deadline.FromDatetime(options.deadline.at)
    elif options.deadline is not None:
        policy.deadline_in.CopyFrom(_duration(options.deadline.seconds))
    if options.case_timeout == LEARNT:
        policy.learnt_case_timeout = True
    elif options.case_timeout:
        policy.case_timeout.CopyFrom(_duration(options.case_timeout))
    return policy


def _add_reruns(policy: suite_pb2.Policy, reruns: Reruns) -> None:
    policy.max_reruns = reruns.count or 0
    rule = suite_pb2.RerunRule(only=reruns.only, fail_on_flaky=reruns.fail_on_flaky)
    if reruns.placement:
        rule.placement = suite_pb2.RerunPlacement.Value(f"RERUN_PLACEMENT_{reruns.placement.upper()}")
    if reruns.patience:
        rule.wait.CopyFrom(_duration(reruns.patience))
    if reruns.delay:
        rule.delay.CopyFrom(_duration(reruns.delay))
    if rule.ByteSize():
        policy.rerun_rule.CopyFrom(rule)


def spec_of(
    command: Command,
    options: RunOptions,
    suite: suite_pb2.Suite,
    workspace: suite_pb2.Workspace,
    targets: Sequence[suite_pb2.Target],
    shard: suite_pb2.Shard | None = None,
) -> run_pb2.RunSpec:
    """The whole request."""
    title = options.title or shlex.join(options.command) or options.matrix
    policy = policy_of(command, options)
    if shard is not None:
        policy.shard.CopyFrom(shard)
    return run_pb2.RunSpec(
        project=options.project,
        title=title.encode("utf-8", "replace")[:TITLE_BYTES].decode("utf-8", "ignore"),
        suite=suite,
        workspace=workspace,
        targets=targets,
        policy=policy,
        labels=pairs(options.label, "--label"),
    )


def variables_of(words: Sequence[str], *, whole_environment: bool) -> dict[str, str]:
    """Variables for the suite: those that --env names, over this process's own where `whole_environment` is set.

    The whole environment goes only over Unix sockets, to a fleet that its owner alone can reach. What is not valid
    UTF-8 cannot be sent and is left out. Raises UsageError for a variable without value that is not set here.
    """
    found = (
        {key: value for key, value in callers_environment().items() if _sendable(key, value)}
        if whole_environment
        else {}
    )
    for word in words:
        name, equals, value = word.partition("=")
        if not name or (not equals and name not in os.environ):
            raise UsageError(f"--env {word}: it is not set here; write NAME=VALUE")
        found[name] = value if equals else os.environ[name]
    return found


def _sendable(key: str, value: str) -> bool:
    try:
        return bool(key.encode() and value.encode() is not None)
    except UnicodeEncodeError:
        return False


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(int(seconds * 1e9))
    return duration


def _gates(gates: Mapping[str, Any]) -> suite_pb2.Gates:
    message = suite_pb2.Gates(**{name: value for name, value in gates.items() if name != "wait"})
    if "wait" in gates:
        message.wait.FromNanoseconds(round(gates["wait"] * 1e9))
    return message
