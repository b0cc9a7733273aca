"""The targets of a run, from options and matrix files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from crossfleet.cli.amounts import seconds
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.alternatives import (
    Alternative,
    alternatives_from,
    alternatives_of,
    beside_from,
    beside_of,
)
from crossfleet.cli.running.devices import check_capacities, devices_of
from crossfleet.cli.running.gates import checked_gates, gates_of, with_gates
from crossfleet.cli.running.keys import unknown_key, unknown_target
from crossfleet.cli.running.needs import Need, check_all_needs, needs_from, needs_of
from crossfleet.cli.running.options import RunOptions, pairs
from crossfleet.cli.running.requirements import read_requirements
from crossfleet.cli.running.semaphores import semaphores_of

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEYS = frozenset(
    (
        "name",
        "selector",
        "python",
        "python_version",
        "requirements",
        "build",
        "variables",
        "request",
        "needs",
        "command",
        "alternatives",
        "near",
        "apart",
    )
)
_REQUEST = {
    "cpu_cores": (int, float),
    "memory_bytes": (int,),
    "slots_min": (int,),
    "slots_max": (int,),
    "exclusive": (bool,),
    "gang": (int,),
    "semaphores": (dict,),
    "gates": (dict,),
    "tolerations": (list,),
    "devices": (list,),
    "preferred": (list,),
    "placement": (str,),
    "prefer_least": (str,),
}
_DEVICE = {"device_class": (str,), "selector": (str,), "count": (int,), "capacities": (dict,)}
_PREFERENCE = {"selector": (str,), "weight": (int,)}
_PLACEMENTS = ("pack", "spread")
_EXAMPLES = {
    "memory_bytes": "4294967296 for 4 GiB",
    "semaphores": "{ license = 1 }",
    "gates": "{ load = 0.3 }",
    "tolerations": '["dedicated"]',
    "devices": '[{ device_class = "gpu", count = 1 }]',
    "preferred": """[{ selector = 'worker.labels.zone == "eu"', weight = 3 }]""",
    "capacities": '{ memory = "4Gi" }',
}
_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    dict: "a table",
    list: "a list",
}


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """One target. `requirements` is the text of its file; `python` a path on this machine; `command` what it runs, where that is not the run's."""

    name: str
    selector: str = ""
    python: str = ""
    python_version: str = ""
    requirements: str = ""
    build: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    command: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    near: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


def plan_targets(options: RunOptions) -> tuple[TargetPlan, ...]:
    """All targets, in the order in which they were named; one called `default` where none was. Raises UsageError."""
    planned = {target.name: target for target in (_read(options.matrix) if options.matrix else ())}
    for name, selector in pairs(options.target, "--target").items():
        if name in planned:
            raise UsageError(f"--target {name}: the matrix file has a target of that name")
        planned[name] = TargetPlan(_checked_name(name, "--target"), selector)
    planned = planned or {"default": TargetPlan("default")}
    for name, path in pairs(options.target_python, "--target-python").items():
        planned[name] = replace(_known(planned, name, "--target-python"), python=_absolute(path))
    for name, path in pairs(options.target_requirements, "--target-requirements").items():
        planned[name] = replace(_known(planned, name, "--target-requirements"), requirements=read_requirements(path))
    for name, needs in needs_of(options.needs, planned).items():
        planned[name] = replace(planned[name], needs=(*planned[name].needs, *needs))
    for name, alternatives in alternatives_of(options.alternative, planned, seconds).items():
        planned[name] = replace(planned[name], alternatives=alternatives)
    for name, others in beside_of(options.near, planned, "--near").items():
        planned[name] = replace(planned[name], near=(*planned[name].near, *others))
    for name, others in beside_of(options.apart, planned, "--apart").items():
        planned[name] = replace(planned[name], apart=(*planned[name].apart, *others))
    check_all_needs({target.name: target.needs for target in planned.values()})
    common = read_requirements(options.requirements) if options.requirements else ""
    if common and options.python:
        raise UsageError("give --python or --requirements, not both")
    semaphores, gates, devices = semaphores_of(options.semaphore), gates_of(options.gate), devices_of(options.devices)
    return tuple(
        _checked(
            _with_gates(
                _with_common(_with_default(target, options.python, common), semaphores, devices, options.prefer_least),
                gates,
            )
        )
        for target in (replace(one, build=one.build or options.build) for one in planned.values())
    )


def _with_common(
    target: TargetPlan, semaphores: Mapping[str, int], devices: Sequence[Mapping[str, Any]], prefer_least: str
) -> TargetPlan:
    """With what is asked for of all targets; what it says itself wins."""
    request = dict(target.request)
    if semaphores:
        request["semaphores"] = {**semaphores, **request.get("semaphores", {})}
    if devices:
        request.setdefault("devices", devices)
    if prefer_least:
        request.setdefault("prefer_least", prefer_least)
    return replace(target, request=request)


def _with_gates(target: TargetPlan, gates: Mapping[str, Any]) -> TargetPlan:
    return replace(target, request=with_gates(target.request, gates, target.name))


def _with_default(target: TargetPlan, python: str, requirements: str) -> TargetPlan:
    if target.python or target.requirements:
        return target
    return replace(target, python=_absolute(python) if python else "", requirements=requirements)


def _checked(target: TargetPlan) -> TargetPlan:
    if target.python and target.requirements:
        raise UsageError(f"target {target.name}: give an interpreter or requirements, not both")
    return target


def _known(planned: Mapping[str, TargetPlan], name: str, option: str) -> TargetPlan:
    if name not in planned:
        raise UsageError(f"{option} {name}: {unknown_target(name, planned)}")
    return planned[name]


def _read(path: str) -> tuple[TargetPlan, ...]:
    import tomllib

    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"--matrix {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--matrix {path}: {error}") from None
    tables = content.get("target", [])
    if set(content) - {"target"} or not isinstance(tables, list) or not tables:
        raise UsageError(f"--matrix {path}: it must hold [[target]] tables and nothing else")
    found = [_target(table, f"--matrix {path}: target[{index}]", path) for index, table in enumerate(tables)]
    names = [target.name for target in found]
    if len(set(names)) < len(names):
        raise UsageError(f"--matrix {path}: two targets have one name")
    return tuple(found)


def _target(table: Any, where: str, path: str) -> TargetPlan:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table, [[target]]")
    unknown = sorted(set(table) - _KEYS)
    if unknown and unknown[0] in _REQUEST:
        raise UsageError(f"{where}: {unknown[0]} stands in the target's request: request = {{ {unknown[0]} = ... }}")
    if unknown:
        raise UsageError(f"{where}: {unknown_key(unknown[0], _KEYS, 'a target')}")
    for key in ("name", "selector", "python", "python_version", "requirements", "build"):
        if not isinstance(table.get(key, ""), str):
            raise UsageError(f"{where}.{key}: must be text")
    variables = table.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise UsageError(f"{where}.variables: must be a table of texts")
    folder = os.path.dirname(os.path.abspath(path))
    python, requirements = table.get("python", ""), table.get("requirements", "")
    command = table.get("command", [])
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command) or command == [""]:
        raise UsageError(f'{where}.command: must be a list of words, such as ["pytest", "tests/integration"]')
    return TargetPlan(
        name=_checked_name(table.get("name", ""), f"{where}.name"),
        selector=table.get("selector", ""),
        python=_absolute(os.path.join(folder, python)) if os.sep in python else python and _absolute(python),
        python_version=table.get("python_version", ""),
        requirements=read_requirements(os.path.join(folder, requirements)) if requirements else "",
        build=table.get("build", ""),
        variables=variables,
        request=_request(table.get("request", {}), f"{where}.request", _REQUEST),
        needs=needs_from(table.get("needs", []), f"{where}.needs"),
        command=tuple(command),
        alternatives=alternatives_from(table.get("alternatives", []), f"{where}.alternatives", seconds, _device),
        near=beside_from(table.get("near", []), f"{where}.near"),
        apart=beside_from(table.get("apart", []), f"{where}.apart"),
    )


def _device(table: Any, where: str) -> None:
    _request(table, where, _DEVICE)
    check_capacities(table, where)


def _request(table: Any, where: str, known: Mapping[str, tuple[type, ...]]) -> Mapping[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table")
    for key, value in table.items():
        if key not in known:
            raise UsageError(f"{where}: {unknown_key(key, known, 'it')}")
        if not isinstance(value, known[key]) or (isinstance(value, bool) and bool not in known[key]):
            example = f", such as {_EXAMPLES[key]}" if key in _EXAMPLES else ""
            raise UsageError(f"{where}.{key}: must be {' or '.join(_KINDS[kind] for kind in known[key])}{example}")
    for index, device in enumerate(table.get("devices", ())):
        _device(device, f"{where}.devices[{index}]")
    for index, wish in enumerate(table.get("preferred", ())):
        _request(wish, f"{where}.preferred[{index}]", _PREFERENCE)
    if table.get("placement", _PLACEMENTS[0]) not in _PLACEMENTS:
        raise UsageError(f"{where}.placement: must be {' or '.join(_PLACEMENTS)}")
    if not all(isinstance(each, str) for each in table.get("tolerations", ())):
        raise UsageError(f"{where}.tolerations: must be a list of texts")
    if not all(type(amount) is int and amount > 0 for amount in table.get("semaphores", {}).values()):
        raise UsageError(f"{where}.semaphores: must be a table of whole numbers from 1 on")
    if "gates" in table:
        return {**table, "gates": checked_gates(table["gates"], f"{where}.gates")}
    return table


def _checked_name(name: str, where: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {name!r} is no name; use 1 to 64 letters, digits, `.`, `_` and `-`")
    return name


def _absolute(path: str) -> str:
    from crossfleet.cli.running.interpreter import which

    return which(os.path.expanduser(path)) or os.path.abspath(os.path.expanduser(path))
