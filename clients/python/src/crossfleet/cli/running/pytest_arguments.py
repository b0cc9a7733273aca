"""Pytest's arguments that mean something else on a fleet: taken over, removed with a note, or refused with a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.style import CAPTURES, TRACEBACKS

_TAKES_A_VALUE = frozenset(
    ("-k", "-m", "-p", "-c", "-o", "-W", "-r", "--rootdir", "--confcutdir", "--basetemp", "--ignore", "--ignore-glob")
) | frozenset(
    (
        "--deselect",
        "--import-mode",
        "--tb",
        "--durations",
        "--color",
        "--capture",
        "--config-file",
        "--cov",
        "--durations-min",
        "--show-capture",
        "--verbosity",
    )
)
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
_LOUDNESS = re.compile(r"-[qsvl]+")


@dataclass(frozen=True, slots=True)
class PytestArguments:
    """What is left for pytest, and what crossfleet does in its place. None and empty texts: not said."""

    arguments: tuple[str, ...]
    max_failures: int | None = None
    junit: str = ""
    notes: tuple[str, ...] = ()
    verbosity: int = 0
    traceback_style: str = ""
    show_reasons: str = ""
    durations: int | None = None
    durations_min: float | None = None
    color: str = ""
    show_capture: str = ""
    show_summary: bool = True


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
    kept, looks = _looks(left)
    return PytestArguments(tuple(kept), failures, junit, tuple(notes), **looks)


def _looks(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """What the arguments say of the report. They go on to pytest too, but for tracebacks that it would not make."""
    found: dict[str, Any] = {}
    kept: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, _, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
        both = [word]
        if name in _TAKES_A_VALUE and not value and queue:
            value = queue.pop(0)
            both.append(value)
        if _LOUDNESS.fullmatch(word):
            found["verbosity"] = found.get("verbosity", 0) + word.count("v") - word.count("q")
        elif name in _LOOKS:
            field, read = _LOOKS[name]
            found[field] = read(name, value)
        # Their long text is made all the same, for the other reports.
        if not (name == "--tb" and value in ("line", "no")):
            kept += both
    return kept, found


def _whole(name: str, text: str) -> int:
    return -_number(name, text[1:]) if text.startswith("-") else _number(name, text)


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"pytest's {name} needs seconds, not {text!r}") from None


def _next(queue: list[str], name: str) -> str:
    if not queue:
        raise UsageError(f"pytest's {name} needs a value")
    return queue.pop(0)


def _number(name: str, text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"pytest's {name} needs a whole number, not {text!r}")
    return int(text)


_LOOKS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "--tb": ("traceback_style", lambda name, text: _one_of(name, text, TRACEBACKS)),
    "--verbosity": ("verbosity", _whole),
    "-r": ("show_reasons", lambda name, text: text),
    "--durations": ("durations", _number),
    "--durations-min": ("durations_min", _seconds),
    "--color": ("color", lambda name, text: _one_of(name, text, ("yes", "no", "auto"))),
    "--show-capture": ("show_capture", lambda name, text: _one_of(name, text, CAPTURES)),
    "--no-summary": ("show_summary", lambda name, text: False),
}


def _one_of(name: str, text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise UsageError(f"pytest's {name} is one of {', '.join(choices)}, not {text!r}")
    return text
