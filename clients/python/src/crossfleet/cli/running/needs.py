"""Which targets need which others: from options and matrix files."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.keys import unknown_key, unknown_target
from crossfleet.foundation.needs import NeedError, check_needs

WHENS = ("passed", "finished", "changed")
_KEYS = ("target", "when", "artifacts")
# With these no path of an artifact begins.
_NOWHERE = ("/", "./", "../", "$CROSSFLEET_ARTIFACTS", "${CROSSFLEET_ARTIFACTS}")


@dataclass(frozen=True, slots=True)
class Need:
    """A target that must be over: `when` it has passed, is finished in whatever way, or has passed and changed.

    `artifacts` are patterns of those whose change counts; none: of all.
    """

    target: str
    when: str = "passed"
    artifacts: tuple[str, ...] = ()


def add_needs(group: argparse._ArgumentGroup) -> None:
    """Options of `run`."""
    group.add_argument(
        "--needs",
        action="append",
        default=[],
        metavar="NAME=OTHER[:WHEN]",
        help="target NAME begins when OTHER has passed, and is skipped if it does not; with :finished however it ends; with :changed, or "
        ":changed:PATTERN of artifacts, it is also skipped if OTHER left the same when NAME last passed; repeatable",
    )
    group.add_argument(
        "--unchanged-too",
        action="store_true",
        help="run targets also where nothing has changed of what they need with :changed",
    )


def needs_of(words: Sequence[str], targets: Collection[str]) -> dict[str, tuple[Need, ...]]:
    """Of `NAME=OTHER[:WHEN[:PATTERN]]` words, which may come several times, by target. Raises UsageError."""
    found: dict[str, tuple[Need, ...]] = {}
    for word in words:
        name, equals, others = word.partition("=")
        if not equals or not others:
            raise UsageError(
                f"--needs {word}: write NAME=OTHER; NAME=OTHER:finished where OTHER may fail, NAME=OTHER:changed where it must have changed"
            )
        if name not in targets:
            raise UsageError(f"--needs {word}: {unknown_target(name, targets)}")
        needs = []
        for other in others.split(","):
            target, colon, when = other.partition(":")
            when, other_colon, pattern = when.partition(":")
            patterns = [pattern] if other_colon else []
            needs.append(_need(target, when if colon else "passed", patterns, f"--needs {word}"))
        found[name] = (*found.get(name, ()), *needs)
    return found


def needs_from(content: Any, where: str) -> tuple[Need, ...]:
    """Of a list of names and tables in a matrix file. Raises UsageError."""
    if not isinstance(content, list):
        raise UsageError(f'{where}: must be a list, such as ["unit", {{target = "lint", when = "finished"}}]')
    found = []
    for index, each in enumerate(content):
        name, _, when = each.partition(":") if isinstance(each, str) else ("", "", "")
        if when in WHENS:
            raise UsageError(f'{where}[{index}]: write {{ target = "{name}", when = "{when}" }}')
        table = {"target": each} if isinstance(each, str) else each
        if not isinstance(table, dict) or "target" not in table:
            raise UsageError(f"{where}[{index}]: must be a target's name, or a table of target, when and artifacts")
        unknown = sorted(set(table) - set(_KEYS))
        if unknown:
            raise UsageError(f"{where}[{index}]: {unknown_key(unknown[0], _KEYS, 'a need')}")
        if not isinstance(table["target"], str):
            raise UsageError(f"{where}[{index}].target: must be text")
        patterns = table.get("artifacts", [])
        if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
            raise UsageError(f"{where}[{index}].artifacts: must be a list of patterns, such as ['dist/*.whl']")
        found.append(_need(table["target"], table.get("when", "passed"), patterns, f"{where}[{index}]"))
    return tuple(found)


def _need(target: str, when: Any, patterns: Sequence[str], where: str) -> Need:
    if when not in WHENS:
        raise UsageError(f"{where}: {when!r} is not known; write {', '.join(WHENS[:-1])} or {WHENS[-1]}")
    if patterns and when != "changed":
        raise UsageError(
            f"{where}: artifacts are compared only where a target must have changed: write changed, or leave them out"
        )
    if "" in patterns:
        raise UsageError(f"{where}: an artifact's pattern is empty; write one such as dist/*.whl")
    nowhere = [one for one in patterns if one.startswith(_NOWHERE)]
    if nowhere:
        raise UsageError(
            f"{where}: {nowhere[0]} matches nothing: paths begin below CROSSFLEET_ARTIFACTS; write one such as dist/*.whl"
        )
    return Need(target, when, tuple(patterns))


def check_all_needs(needs: Mapping[str, Sequence[Need]]) -> None:
    """Raises UsageError for one that cannot be: of a target that does not exist, or in a circle."""
    try:
        check_needs({target: [need.target for need in each] for target, each in needs.items()})
    except NeedError as error:
        raise UsageError(str(error)) from None
