"""Which targets of a submitted run need which others, checked, and what they are compared by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.core.commands import Need, TargetSpec
from crossfleet.foundation.needs import NeedError, check_needs

_WHENS = frozenset(suite_pb2.NeedWhen.values())
_MOST_PATTERNS, _MOST_PATTERN_BYTES = 16, 200


def needs_of(checks: Checks, target: suite_pb2.Target, path: str) -> tuple[Need, ...]:
    """Whom a target needs, each checked by itself."""
    found = []
    for index, need in enumerate(target.needs):
        checks.require(
            need.when in _WHENS, f"{path}.needs[{index}].when", f"one of {', '.join(suite_pb2.NeedWhen.keys())}"
        )
        changed = need.when == suite_pb2.NEED_WHEN_CHANGED
        _check_patterns(checks, need, f"{path}.needs[{index}].artifacts", compared=changed)
        found.append(Need(need.target, need.when != suite_pb2.NEED_WHEN_FINISHED, changed, tuple(need.artifacts)))
    return tuple(found)


def _check_patterns(checks: Checks, need: suite_pb2.Need, path: str, *, compared: bool) -> None:
    checks.require(compared or not need.artifacts, path, "none, but with NEED_WHEN_CHANGED: nothing else compares them")
    checks.require(len(need.artifacts) <= _MOST_PATTERNS, path, f"at most {_MOST_PATTERNS}")
    for index, pattern in enumerate(need.artifacts[:_MOST_PATTERNS]):
        fine = 0 < len(pattern.encode()) <= _MOST_PATTERN_BYTES
        checks.require(fine, f"{path}[{index}]", f"1 to {_MOST_PATTERN_BYTES} bytes, such as dist/*.whl")


def definition(target: suite_pb2.Target, spec: run_pb2.RunSpec) -> str:
    """A digest of what a target asks for: its suite, place, environment, part, and whether a flaky case fails it.

    Not of files, nor of a suite's variables: those may be all that a shell has, another one in each CI job.
    """
    asked = run_pb2.RunSpec(suite=target.suite if target.HasField("suite") else spec.suite, targets=[target])
    asked.suite.ClearField("variables")
    asked.targets[0].ClearField("suite")
    asked.policy.shard.CopyFrom(spec.policy.shard)
    asked.policy.rerun_rule.fail_on_flaky = spec.policy.rerun_rule.fail_on_flaky
    return hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()


def check_all_needs(checks: Checks, targets: Sequence[TargetSpec]) -> None:
    """Nobody waits for himself, be it for the end of another one or for the slots of one that it is near to."""
    names = {one.name for one in targets}
    near = {one.name: names.intersection(one.template.near if one.template is not None else ()) for one in targets}
    needs = {one.name: [need.target for need in one.needs] for one in targets}
    try:
        check_needs(needs)
        check_needs({name: list(dict.fromkeys((*some, *sorted(near[name] - {name})))) for name, some in needs.items()})
    except NeedError as error:
        position = next(index for index, one in enumerate(targets) if one.name == error.target)
        own = len(needs[error.target])
        field = f"needs[{error.index}]" if error.index < own else "near"
        checks.require(False, f"spec.targets[{position}].{field}", error.message)
