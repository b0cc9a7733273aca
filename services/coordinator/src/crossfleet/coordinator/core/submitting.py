"""Runs are submitted, and blobs attached to them."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.alternatives import skip_never_allowed
from crossfleet.coordinator.core.answers import RunAnswer
from crossfleet.coordinator.core.artifact import ArtifactsAttached, AttachArtifacts
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import PolicySpec, SubmitRun, TargetSpec
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.last_cases import LimitsLearnt
from crossfleet.coordinator.core.quotas import check_quota
from crossfleet.coordinator.core.semaphores import check_semaphores
from crossfleet.coordinator.core.settling import release_dependents
from crossfleet.matching.classes import devices_by_class, most_by_class
from crossfleet.matching.model import Request
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.template import Past, Template, offer

_MAX_TARGETS = 256
_YEAR_SECONDS = 365 * 86_400.0


def submit_run(emit: Emitter, command: SubmitRun) -> RunAnswer:
    """Commit a run. The same request id with the same content answers the first run again."""
    known = emit.state.requests.get(command.request_id)
    if known is not None:
        run_id, fingerprint = known
        if fingerprint != command.fingerprint:
            raise Refused(
                "IDEMPOTENCY_CONFLICT",
                f"request {command.request_id} was used for run {run_id} with another specification; use a new id",
                "request_id",
                request_id=command.request_id,
            )
        return RunAnswer(run_id, changed=False)
    targets = tuple(whole(target, command.runner, emit.state.selectors) for target in command.targets)
    _check(emit, command, targets)
    emit(
        e.RunSubmitted(
            command.run_id,
            command.request_id,
            command.fingerprint,
            command.project,
            command.suite,
            command.runner,
            command.priority,
            targets,
            command.policy,
            command.seed,
            command.spec,
            emit.now,
            command.traceparent,
        )
    )
    if command.cases:
        cases = tuple(CollectedCase(case_id) for case_id in command.cases)
        digest = case_digest(command.cases)
        for group_id in emit.state.runs[command.run_id].groups:
            emit(e.CasesCollected(command.run_id, group_id, digest, cases, command.estimates, 0))
            if any(command.limits):
                emit(LimitsLearnt(command.run_id, group_id, command.limits))
    for group_id in emit.state.runs[command.run_id].groups:
        skip_never_allowed(emit, emit.state.groups[group_id])
    release_dependents(emit, command.run_id)
    return RunAnswer(command.run_id, changed=True)


def _check(emit: Emitter, command: SubmitRun, targets: tuple[TargetSpec, ...]) -> None:
    if not command.request_id:
        raise Refused(
            "INVALID_ARGUMENT", "a request id is needed, so that a repeated call has one effect", "request_id"
        )
    if not 1 <= len(command.targets) <= _MAX_TARGETS:
        raise Refused("INVALID_ARGUMENT", f"a run has 1 to {_MAX_TARGETS} targets", "spec.targets")
    names = [target.name for target in command.targets]
    for position, name in enumerate(names):
        if not name or name in names[:position]:
            text = f"target {name!r} is named twice" if name else "a target needs a name"
            raise Refused("INVALID_ARGUMENT", text, f"spec.targets[{position}].name")
    waits = not command.policy.fail_unsatisfiable
    for position, target in enumerate(targets):
        path = f"spec.targets[{position}].request"
        check_semaphores(emit.state, target, f"{path}.semaphores", waits=waits)
        check_quota(emit.state, command.project, target, path, waits=waits)
    _check_deadline(command.policy, emit.now)
    if command.estimates and len(command.estimates) != len(command.cases):
        raise Refused("INVALID_ARGUMENT", "there must be one estimate for each case, or none", "estimates")
    if len(set(command.cases)) != len(command.cases):
        raise Refused("INVALID_ARGUMENT", "a case is named twice", "cases")
    if command.run_id in emit.state.runs or command.run_id in emit.state.past_runs:
        raise Refused("ALREADY_EXISTS", f"run {command.run_id} exists", "run_id", name=command.run_id)


def _check_deadline(policy: PolicySpec, now: float) -> None:
    if policy.due(now) <= now:
        field = "deadline_in" if policy.deadline_in else "deadline"
        raise Refused("INVALID_ARGUMENT", "it has passed: name a time to come", f"spec.policy.{field}")
    if policy.deadline > now + _YEAR_SECONDS:
        raise Refused("INVALID_ARGUMENT", "name a time within the next 365 days", "spec.policy.deadline")


def whole(target: TargetSpec, runner: str, selectors: Selectors) -> TargetSpec:
    """The request that schedulers and the fit function see names selector and runner too; what it takes counts toward quotas."""
    request = target.request
    request = replace(request, selector=request.selector or target.selector, runner=request.runner or runner)
    ways = [devices_by_class(one, selectors) for one in _ways(target.template, request)]
    devices = tuple(most_by_class(ways or [devices_by_class(request, selectors)]).items())
    return replace(target, request=request, devices=devices, ways=tuple(tuple(one.items()) for one in ways))


def _ways(template: Template | None, request: Request) -> list[Request]:
    """What a target asks for by each of its alternatives alone."""
    number = len(template.alternatives) if template is not None else 0
    return [offer(template, request, (index,), Past()) for index in range(number)] if template is not None else []


def case_digest(case_ids: tuple[str, ...]) -> str:
    """SHA-256 over the ids in order, each followed by a line feed; hexadecimal."""
    return sha256("".join(f"{case_id}\n" for case_id in case_ids).encode("utf-8", "surrogateescape")).hexdigest()


def attach_artifacts(emit: Emitter, command: AttachArtifacts) -> None:
    """Name blobs as artifacts of a run, also of one that is over."""
    if command.run_id not in emit.state.runs and command.run_id not in emit.state.past_runs:
        raise Refused("RUN_NOT_FOUND", f"no run {command.run_id}", "run_id", run=command.run_id)
    if command.artifacts:
        emit(ArtifactsAttached(command.run_id, command.artifacts, emit.now))
