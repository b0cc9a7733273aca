"""A submitted RunSpec: every field checked, and the command that it becomes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.artifacts.blobs import is_digest
from crossfleet.coordinator.convert import templates
from crossfleet.coordinator.convert.checks import NAME, NAME_RULE, Checks
from crossfleet.coordinator.convert.needs import check_all_needs, definition, needs_of
from crossfleet.coordinator.convert.priorities import classify
from crossfleet.coordinator.core.commands import PolicySpec, SubmitRun, TargetSpec
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.outcomes import RerunPlacement
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.shards import SEED
from crossfleet.matching.cel import SelectorError
from crossfleet.matching.model import Request
from crossfleet.matching.patterns import PatternError, check_pattern
from crossfleet.matching.request import RequestError
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.template import Template

MOST_CASES = 1_000_000
MOST_TARGETS = 256
MOST_RERUNS = 100
_MOST_PATTERNS = 16
_HOUR = 3600.0
MOST_SHARDS = 10_000
_DAY = 86_400.0
# A timestamp at which the year 10,000 begins, or that is later, is none.
_END_OF_TIME = 253_402_300_800
_GROUPINGS = frozenset(map(int, Grouping))
# Versions that know nothing of models take another host.
_PLACEMENTS = {placement.value: placement for placement in RerunPlacement} | {
    suite_pb2.RERUN_PLACEMENT_MODEL: RerunPlacement.HOST
}
_PYTHON_VERSION = re.compile(r"(\d+(\.\d+){0,2}[a-z0-9]*)?")


def submission(
    request_id: str,
    spec: run_pb2.RunSpec,
    run_id: str,
    selectors: Selectors,
    traceparent: str,
    seed: int,
    classes: Mapping[str, PriorityClass],
) -> SubmitRun:
    """The command of a checked spec, with defaults filled in. All hosts get its `seed`. Raises InvalidArgument, SelectorInvalid."""
    given = spec.SerializeToString(deterministic=True)
    checks = Checks()
    checks.require(0 < len(request_id.encode()) <= 200, "request_id", "1 to 200 bytes, a UUID for instance")
    _fill(spec)
    standing = classify(checks, spec, classes)
    _check_run(checks, spec)
    _check_suite(checks, spec.suite, "spec.suite")
    _check_policy(checks, spec.policy)
    _check_reruns(checks, spec.policy)
    if spec.policy.HasField("shard"):
        _check_shard(checks, spec.policy.shard)
        checks.require(
            spec.policy.shard.count == 1 or not spec.suite.cases,
            "spec.policy.shard",
            "a suite that enumerates its cases: where they are named, name only those of this part",
        )
    targets = _targets(checks, spec, selectors)
    checks.finish("the run")
    return SubmitRun(
        request_id=request_id,
        fingerprint=hashlib.sha256(given).hexdigest(),
        run_id=run_id,
        project=spec.project,
        suite=spec.suite.name,
        runner=spec.suite.runner,
        priority=spec.policy.priority,
        targets=targets,
        policy=_policy(spec.policy, standing),
        seed=SEED if spec.policy.shard.count > 1 else seed,
        spec=spec.SerializeToString(),
        cases=tuple(spec.suite.cases),
        traceparent=traceparent,
    )


def _fill(spec: run_pb2.RunSpec) -> None:
    spec.project = spec.project or "default"
    spec.suite.runner = spec.suite.runner or "pytest"
    if not spec.suite.name:
        spec.suite.name = spec.workspace.local_path.rstrip("/").rpartition("/")[2] or "suite"
    if not spec.targets:
        spec.targets.add(name="default")
    for target in spec.targets:
        if target.HasField("suite"):
            target.suite.runner = target.suite.runner or "pytest"
            target.suite.name = target.suite.name or spec.suite.name


def _check_run(checks: Checks, spec: run_pb2.RunSpec) -> None:
    checks.name(spec.project, "spec.project")
    checks.size(spec.title, "spec.title", 500)
    checks.require(len(spec.targets) <= MOST_TARGETS, "spec.targets", f"at most {MOST_TARGETS}")
    checks.require(len(spec.labels) <= 64, "spec.labels", "at most 64")
    source = spec.workspace.WhichOneof("source")
    checks.require(source is not None, "spec.workspace.source", "name local_path, manifest_digest, or none: true")
    if source == "manifest_digest":
        digest = spec.workspace.manifest_digest
        checks.require(
            is_digest(digest),
            "spec.workspace.manifest_digest",
            "64 lower-case hexadecimal digits",
        )


def _check_suite(checks: Checks, suite: suite_pb2.Suite, path: str) -> None:
    checks.size(suite.name, f"{path}.name", 200)
    checks.name(suite.runner, f"{path}.runner")
    inside = not suite.root.startswith("/") and ".." not in suite.root.split("/") and "\0" not in suite.root
    checks.require(inside, f"{path}.root", "a relative path below the workspace, without '..'")
    for index, argument in enumerate(suite.arguments):
        checks.require("\0" not in argument, f"{path}.arguments[{index}]", "text without NUL")
    _check_variables(checks, suite.variables, f"{path}.variables")
    if checks.require(len(suite.cases) <= MOST_CASES, f"{path}.cases", f"at most {MOST_CASES}"):
        different = set(suite.cases)
        checks.require("" not in different, f"{path}.cases", "no empty id")
        checks.require(
            len(different) == len(suite.cases),
            f"{path}.cases",
            "each id once; append #2, #3 to repeated ones",
        )
    checks.require(suite.runner != "command" or bool(suite.arguments), f"{path}.arguments", "the command to run")


def _check_variables(checks: Checks, variables: object, path: str) -> None:
    for name, value in dict(variables).items():  # type: ignore[call-overload]
        fine = bool(name) and "=" not in name and "\0" not in name and "\0" not in value
        checks.require(fine, f"{path}[{name!r}]", "a name without '=', and neither with NUL")


def _check_policy(checks: Checks, policy: suite_pb2.Policy) -> None:
    for name in ("max_failures", "max_cases_per_task", "max_attempts", "memory_limit_bytes"):
        checks.require(getattr(policy, name) >= 0, f"spec.policy.{name}", "0 or more")
    checks.require(policy.max_attempts <= 100, "spec.policy.max_attempts", "at most 100")
    checks.require(-1000 <= policy.priority <= 1000, "spec.policy.priority", "from -1000 to 1000")
    checks.require(0 <= policy.speculate_percent <= 100, "spec.policy.speculate_percent", "0 to 100")
    names = ", ".join(suite_pb2.Grouping.keys())
    checks.require(policy.grouping in _GROUPINGS, "spec.policy.grouping", f"one of {names}")
    for name in ("case_timeout", "run_timeout", "unsatisfiable_wait", "deadline_in"):
        seconds = _seconds(getattr(policy, name))
        checks.require(0 <= seconds <= 365 * _DAY, f"spec.policy.{name}", "0 to 365 days")
    if policy.HasField("deadline"):
        checks.require(not policy.HasField("deadline_in"), "spec.policy.deadline", "not beside deadline_in")
        valid = 0 < policy.deadline.seconds < _END_OF_TIME and 0 <= policy.deadline.nanos < 10**9
        checks.require(valid, "spec.policy.deadline", "a time to come, within the next 365 days")


def _check_reruns(checks: Checks, policy: suite_pb2.Policy) -> None:
    rule, path = policy.rerun_rule, "spec.policy.rerun_rule"
    checks.require(0 <= policy.max_reruns <= MOST_RERUNS, "spec.policy.max_reruns", f"0 to {MOST_RERUNS}")
    checks.require(0 <= _seconds(rule.delay) <= _HOUR, f"{path}.delay", "0 to an hour")
    checks.require(0 <= _seconds(rule.wait) <= _HOUR, f"{path}.wait", "0 to an hour")
    checks.require(len(rule.only) <= _MOST_PATTERNS, f"{path}.only", f"at most {_MOST_PATTERNS}")
    for index, pattern in enumerate(rule.only[:_MOST_PATTERNS]):
        checks.size(pattern, f"{path}.only[{index}]", 500)
        try:
            check_pattern(pattern)
        except PatternError as error:
            checks.require(False, f"{path}.only[{index}]", f"an RE2 expression: {error}")


def _check_shard(checks: Checks, shard: suite_pb2.Shard) -> None:
    path = "spec.policy.shard"
    if checks.require(1 <= shard.count <= MOST_SHARDS, f"{path}.count", f"1 to {MOST_SHARDS:,}"):
        checks.require(1 <= shard.index <= shard.count, f"{path}.index", f"1 to {shard.count:,}, the count")
    digest = shard.durations_digest
    checks.require(
        not digest or is_digest(digest), f"{path}.durations_digest", "64 lower-case hexadecimal digits, or empty"
    )


def _targets(checks: Checks, spec: run_pb2.RunSpec, selectors: Selectors) -> tuple[TargetSpec, ...]:
    found = []
    names: set[str] = set()
    for index, target in enumerate(spec.targets):
        path = f"spec.targets[{index}]"
        checks.name(target.name, f"{path}.name")
        checks.require(target.name not in names, f"{path}.name", f"unique in the run; {target.name!r} is there already")
        names.add(target.name)
        _check_environment(checks, target.environment, f"{path}.environment")
        own = target.HasField("suite")
        if own:
            _check_suite(checks, target.suite, f"{path}.suite")
            one = not (spec.suite.cases or target.suite.cases)
            checks.require(one, f"{path}.suite", "none, where the client names cases: such a run has one suite")
        runner = target.suite.runner if own else spec.suite.runner
        request, template = _asked(checks, target, spec, runner, path, selectors)
        gated = target.request.HasField("gates")
        checks.require(
            not (gated and spec.suite.cases), f"{path}.request.gates", "none, where the client names the cases"
        )
        checks.require(not target.build or NAME.fullmatch(target.build) is not None, f"{path}.build", NAME_RULE)
        suite = target.suite.name if own else ""
        needs = needs_of(checks, target, path)
        compares = any(need.changed for need in needs)
        environment = _built(target.environment)
        found.append(
            TargetSpec(
                target.name,
                request.selector,
                request,
                needs,
                suite,
                target.build,
                template,
                environment=environment,
                definition=definition(target, spec) if compares else "",
            )
        )
    for index, target in enumerate(spec.targets):
        for field in ("near", "apart"):
            wrong = templates.named(target, field, [one.name for one in spec.targets])
            checks.require(not wrong, f"spec.targets[{index}].{field}", wrong)
        wrong = templates.contradiction(target, spec.targets)
        checks.require(not wrong, f"spec.targets[{index}].near", wrong)
    check_all_needs(checks, found)
    return tuple(found)


def _asked(
    checks: Checks, target: suite_pb2.Target, spec: run_pb2.RunSpec, runner: str, path: str, selectors: Selectors
) -> tuple[Request, Template | None]:
    try:
        return templates.asked(target, spec, runner, selectors)
    except RequestError as error:
        own = error.field.partition("[")[0].partition(".")[0] in {"selector", "alternatives", "request"}
        place = f"{path}.{error.field}" if own else f"{path}.request.{error.field}"
        if isinstance(error.__cause__, SelectorError):
            checks.selector(place, target.name, error.__cause__)
        else:
            checks.require(False, place, error.message)
        return Request(), None


def _built(environment: suite_pb2.Environment) -> str:
    """A digest of what a worker has to build, empty for nothing."""
    if environment.WhichOneof("source") != "requirements":
        return ""
    return hashlib.sha256(f"{environment.python_version}\n{environment.requirements}".encode()).hexdigest()


def _check_environment(checks: Checks, environment: suite_pb2.Environment, path: str) -> None:
    checks.size(environment.requirements, f"{path}.requirements", 1 << 20)
    plausible = _PYTHON_VERSION.fullmatch(environment.python_version) is not None
    checks.require(plausible, f"{path}.python_version", "a version such as 3.12")
    _check_variables(checks, environment.variables, f"{path}.variables")


def _policy(policy: suite_pb2.Policy, standing: PriorityClass | None) -> PolicySpec:
    return PolicySpec(
        max_failures=policy.max_failures,
        case_timeout=_seconds(policy.case_timeout),
        run_timeout=_seconds(policy.run_timeout),
        max_cases_per_task=policy.max_cases_per_task,
        max_attempts=policy.max_attempts or 3,
        fail_unsatisfiable=policy.unsatisfiable != suite_pb2.UNSATISFIABLE_WAIT,
        unsatisfiable_wait=_seconds(policy.unsatisfiable_wait),
        memory_limit=policy.memory_limit_bytes,
        grouping=Grouping(policy.grouping),
        max_reruns=policy.max_reruns,
        rerun_placement=_PLACEMENTS.get(policy.rerun_rule.placement, RerunPlacement.SLOT),
        other_model=policy.rerun_rule.placement == suite_pb2.RERUN_PLACEMENT_MODEL,
        rerun_wait=_seconds(policy.rerun_rule.wait),
        unchanged_too=policy.unchanged_too,
        rerun_only=tuple(policy.rerun_rule.only),
        rerun_delay=_seconds(policy.rerun_rule.delay),
        fail_on_flaky=policy.rerun_rule.fail_on_flaky,
        shard_index=policy.shard.index or 1,
        shard_count=policy.shard.count or 1,
        durations_digest=policy.shard.durations_digest,
        scheduler=policy.scheduler,
        speculate=policy.speculate_percent,
        learnt_timeout=policy.learnt_case_timeout,
        priority_class=standing,
        deadline=policy.deadline.ToNanoseconds() / 1e9 if policy.HasField("deadline") else 0.0,
        deadline_in=_seconds(policy.deadline_in),
    )


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
