"""How quiet a host must be while a case executes, from options and matrix files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from crossfleet.cli.amounts import seconds
from crossfleet.cli.exits import UsageError
from crossfleet.matching.gates import GATES, MAX_REPEATS

_KNOWN = (*GATES, "wait", "repeats")


def gates_of(words: Sequence[str]) -> dict[str, Any]:
    """Gates by name, of `NAME=VALUE`. Raises UsageError."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--gate {word}: write NAME=VALUE, with one of {', '.join(_KNOWN)} for NAME")
        if name in found:
            raise UsageError(f"--gate: {name} is given twice")
        found[name] = value if name == "wait" else _number(value, name)
    return checked_gates(found, "--gate")


def checked_gates(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The same gates, `wait` in seconds. Raises UsageError; limits are judged by the coordinator."""
    found = dict(table)
    for name, value in table.items():
        if name not in _KNOWN:
            raise UsageError(f"{where}: there is no gate {name!r}; there are {', '.join(_KNOWN)}")
        if name == "wait":
            found[name] = _seconds(value, where)
        elif isinstance(value, bool) or not isinstance(value, int if name == "repeats" else int | float):
            raise UsageError(f"{where}: {name} must be a {'whole ' if name == 'repeats' else ''}number")
        elif name == "repeats" and not 0 <= value <= MAX_REPEATS:
            raise UsageError(f"{where}: repeats: {value} is not from 0 to {MAX_REPEATS}")
    if table and not set(table).intersection(GATES):
        raise UsageError(f"{where}: name a limit beside wait and repeats, one of {', '.join(GATES)}")
    return found


def with_gates(request: Mapping[str, Any], common: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    """A target's request with the gates that are asked for of all; its own win. Whoever has gates has a host alone.

    Raises UsageError where it says that it wants none.
    """
    gates = {**common, **request.get("gates", {})}
    if not gates:
        return request
    if request.get("exclusive") is False:
        raise UsageError(f"target {target}: gates need a host of one's own; leave out exclusive = false")
    return {**request, "gates": gates, "exclusive": True}


def _number(text: str, name: str) -> float | int:
    try:
        return int(text) if name == "repeats" else float(text)
    except ValueError:
        raise UsageError(f"--gate {name}={text}: {text!r} is no {'whole ' * (name == 'repeats')}number") from None


def _seconds(value: Any, where: str) -> float:
    try:
        return seconds(str(value))
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{where}: wait: {error}") from None
