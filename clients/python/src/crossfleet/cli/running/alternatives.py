"""Ways to satisfy a target, in order of preference, and where it lies beside others: from options and matrix files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.keys import unknown_key, unknown_target

_LONGEST = 1e9
_KEYS = ("selector", "wait", "devices")
_WAIT = re.compile(r"(?P<selector>.*?)\s+for\s+(?P<wait>\d\S*)\s*", re.DOTALL)
_LONG_WAIT = re.compile(r"\s+for\s+\d+\s+[a-z]+\s*$")

Seconds = Callable[[str], float]
"""Reads a span such as `2m`; raises ArgumentTypeError."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of them; after `wait` seconds the next one counts too. `devices` take the place of the request's."""

    selector: str
    wait: float = 0.0
    devices: tuple[Mapping[str, Any], ...] = ()


def add_placing(group: argparse._ArgumentGroup) -> None:
    """The options of alternatives and of places."""
    add = group.add_argument
    add(
        "--alternative",
        action="append",
        default=[],
        metavar="'NAME=CEL for TIME'",
        help="a way to satisfy target NAME, tried for so long before the next one counts too, such as "
        "'gpu=device.model == \"H100\" for 2m'; in order of preference, the last one without a time",
    )
    add(
        "--prefer-least",
        default="",
        metavar="LABEL",
        help="of free workers those with the least of this number, such as cost_per_hour or watts; nobody waits for it",
    )
    add(
        "--near",
        action="append",
        default=[],
        metavar="NAME=OTHER",
        help="target NAME gets slots on the hosts of target OTHER alone, once that has some; repeatable",
    )
    add(
        "--apart",
        action="append",
        default=[],
        metavar="NAME=OTHER",
        help="targets NAME and OTHER never share a host; repeatable",
    )


def alternatives_of(
    words: Sequence[str], targets: Collection[str], seconds: Seconds
) -> dict[str, tuple[Alternative, ...]]:
    """Of `NAME=SELECTOR for TIME` words, in their order, by target; the last one of a target has no time. Raises UsageError."""
    found: dict[str, tuple[Alternative, ...]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        where = f"--alternative {word}"
        if not equals:
            raise UsageError(f"{where}: write NAME=SELECTOR for TIME, and NAME=SELECTOR for the last one")
        if name not in targets:
            raise UsageError(f"{where}: {unknown_target(name, targets)}")
        said = _WAIT.fullmatch(text)
        if said is None and _LONG_WAIT.search(text):
            raise UsageError(f"{where}: write the time in one word at the end, such as `for 2m`")
        wait = _seconds(said["wait"], where, seconds) if said else 0.0
        found[name] = (*found.get(name, ()), Alternative(said["selector"] if said else text, wait))
    for name, some in found.items():
        _check(some, f"--alternative {name}=")
    return found


def alternatives_from(
    content: Any, where: str, seconds: Seconds, check_device: Callable[[Any, str], object]
) -> tuple[Alternative, ...]:
    """Of a list of tables in a matrix file; `check_device` judges a table of devices. Raises UsageError."""
    if not isinstance(content, list):
        raise UsageError(
            f"{where}: must be a list, such as [{{selector = '...', wait = \"2m\"}}, {{selector = '...'}}]"
        )
    found = []
    for index, table in enumerate(content):
        path = f"{where}[{index}]"
        if not isinstance(table, dict):
            raise UsageError(f"{path}: must be a table, such as {{selector = '...', wait = \"2m\"}}")
        unknown = sorted(set(table) - set(_KEYS))
        if unknown:
            raise UsageError(f"{path}: {unknown_key(unknown[0], _KEYS, 'an alternative')}")
        if not isinstance(table.get("selector", ""), str):
            raise UsageError(f"{path}.selector: must be text")
        devices = table.get("devices", [])
        if not isinstance(devices, list):
            raise UsageError(f"{path}.devices: must be a list of tables")
        for number, device in enumerate(devices):
            check_device(device, f"{path}.devices[{number}]")
        found.append(
            Alternative(table.get("selector", ""), _wait(table.get("wait", 0), f"{path}.wait", seconds), tuple(devices))
        )
    _check(found, where)
    return tuple(found)


def _wait(value: Any, where: str, seconds: Seconds) -> float:
    if isinstance(value, str):
        return _seconds(value, where, seconds)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LONGEST:
        raise UsageError(f'{where}: must be a time, such as "2m", or seconds')
    return float(value)


def _seconds(text: str, where: str, seconds: Seconds) -> float:
    try:
        return seconds(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{where}: {error}") from None


def _check(alternatives: Sequence[Alternative], where: str) -> None:
    if alternatives and alternatives[-1].wait:
        raise UsageError(f"{where}: nothing follows the last one: leave its time out, or add an alternative")


def beside_of(words: Sequence[str], targets: Collection[str], option: str) -> dict[str, tuple[str, ...]]:
    """Of `NAME=OTHER,...` words, by target, the others. Raises UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, equals, others = word.partition("=")
        if not equals or not others:
            raise UsageError(f"{option} {word}: write NAME=OTHER, with names of targets")
        for one in (name, *others.split(",")):
            if one not in targets:
                raise UsageError(f"{option} {word}: {unknown_target(one, targets)}")
        found[name] = (*found.get(name, ()), *others.split(","))
    return found


def beside_from(content: Any, where: str) -> tuple[str, ...]:
    """Of a list of names in a matrix file. Raises UsageError."""
    if not isinstance(content, list) or not all(isinstance(one, str) for one in content):
        raise UsageError(f'{where}: must be a list of targets, such as ["server"]')
    return tuple(content)
