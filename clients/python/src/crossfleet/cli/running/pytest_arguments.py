"""Pytest's arguments that mean something else on a fleet: taken over, removed with a note, or refused with a hint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from crossfleet.cli.exits import UsageError

_TAKES_A_VALUE = frozenset(
    ("-k", "-m", "-p", "-c", "-o", "-W", "-r", "--rootdir", "--confcutdir", "--basetemp", "--ignore", "--ignore-glob")
) | frozenset(("--deselect", "--import-mode", "--tb", "--durations", "--color", "--capture", "--config-file", "--cov"))
_EXIT_FIRST = re.compile(r"-[qsvl]*x[qsvlx]*")
_REFUSED = {
    "--pdb": "a debugger needs the terminal: run that test with pytest itself",
    "--trace": "a debugger needs the terminal: run that test with pytest itself",
    "--looponfail": "it never ends: run crossfleet again instead",
    "-f": "it never ends: run crossfleet again instead",
    "--collect-only": "nothing would run: use pytest itself",
    "--co": "nothing would run: use pytest itself",
    "--setup-plan": "nothing would run: use pytest itself",
    "--fixtures": "nothing would run: use pytest itself",
    "--help": "crossfleet hands pytest's arguments to its workers: use pytest itself",
    "-h": "crossfleet hands pytest's arguments to its workers: use pytest itself",
    "--version": "nothing would run: use pytest itself",
}
_SPREADING = frozenset(("-n", "--numprocesses", "--dist", "--tx", "--maxprocesses", "-d"))
_JUNIT = frozenset(("--junitxml", "--junit-xml"))


@dataclass(frozen=True, slots=True)
class PytestArguments:
    """What is left for pytest, and what crossfleet does in its place. `max_failures` None: not said."""

    arguments: tuple[str, ...]
    max_failures: int | None = None
    junit: str = ""
    notes: tuple[str, ...] = ()


def take_over(words: Sequence[str]) -> PytestArguments:
    """Sorts pytest's arguments. Raises UsageError for those that cannot work on a fleet."""
    left: list[str] = []
    notes: list[str] = []
    failures: int | None = None
    junit = ""
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _REFUSED:
            raise UsageError(f"{name}: {_REFUSED[name]}")
        if name in ("--exitfirst", "--maxfail") or _EXIT_FIRST.fullmatch(word):
            failures = _number(name, value or _next(queue, name)) if name == "--maxfail" else 1
            rest = word.replace("x", "") if not word.startswith("--") else ""
            left += [rest] if len(rest) > 1 else []
        elif name in _SPREADING or re.fullmatch(r"-n(\d+|auto|logical)", word):
            taken = value or (_next(queue, name) if name in _SPREADING and name != "-d" and not equals else "")
            shown = " ".join(filter(None, (word, taken if not equals else "")))
            notes.append(f"{shown} left out: the fleet spreads the tests over its slots (--slots N)")
        elif name in _JUNIT:
            junit = value or _next(queue, name)
        elif name in _TAKES_A_VALUE and not equals:
            left += [word, *queue[:1]]
            del queue[:1]
        else:
            left.append(word)
    return PytestArguments(tuple(left), failures, junit, tuple(notes))


def _next(queue: list[str], name: str) -> str:
    if not queue:
        raise UsageError(f"pytest's {name} needs a value")
    return queue.pop(0)


def _number(name: str, text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"pytest's {name} needs a whole number, not {text!r}")
    return int(text)
