"""Pytest's arguments on a fleet: what its workers get, and what crossfleet does in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfleet.cli.exits import UsageError
from crossfleet.cli.pytest_options.option import Option, Treatment
from crossfleet.cli.pytest_options.table import Said, read
from crossfleet.cli.reporting.style import CAPTURES, TRACEBACKS

_GROUPINGS = {"load": "", "worksteal": "", "no": "", "loadfile": "file", "loadscope": "scope", "loadgroup": "mark"}
_STEPS = {"more": 1, "less": -1}
_AUTOMATIC = frozenset(("auto", "logical"))


@dataclass(frozen=True, slots=True)
class PytestArguments:
    """What is left for pytest, and what crossfleet does in its place. None, or empty: not said.

    `verbosity` is the sum of -v and -q; `durations` how many of the slowest cases are asked for, 0 for all of them,
    from `durations_min` seconds. `traceback_style`, `show_reasons` (the letters of -r), `color` (yes, no, auto) and
    `show_capture` are as pytest takes them. `grouping` is `file`, `scope`, `mark` or `suite`; `slots` the most that a
    target takes. `cache` names the options that read what an earlier run left. `output_wanted`: -s is said.
    """

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
    show_header: bool = True
    show_summary: bool = True
    show_capture: str = ""
    grouping: str = ""
    slots: int | None = None
    cache: tuple[str, ...] = ()
    output_wanted: bool = False


def take_over(words: Sequence[str], project: Sequence[str] = ()) -> PytestArguments:
    """Sorts pytest's arguments; `project` are those that pytest will find by itself in the project's settings.

    Raises UsageError for words that cannot work on a fleet. What stands in a project's settings is not refused: the
    workers pass over it.
    """
    left: list[str] = []
    notes: list[str] = []
    decided: dict[str, list[str]] = {}
    for said, own in (*((one, False) for one in read(project)), *((one, True) for one in read(words))):
        option = said.option
        if option is None:
            left += said.words if own else ()
            continue
        if option.treatment is Treatment.REFUSED and own:
            raise UsageError(f"{said.name}: {option.says}")
        if option.treatment is Treatment.LEFT_OUT:
            notes.append(f"{said.text} left out: {option.says}")
        if option.sets and (own or option.sets != "capture"):
            decided.setdefault(option.sets, []).append(_checked(option, said))
        if option.kept and own and not _made_here(option, said):
            left += said.words
    decisions = _decisions(decided)
    if decisions["output_wanted"]:
        notes.append("-s: what tests print goes to `crossfleet logs`; `crossfleet run --local` shows it as it comes")
    return PytestArguments(tuple(left), notes=tuple(notes), **decisions)


def _made_here(option: Option, said: Said) -> bool:
    """Tracebacks that are shown short are made in full all the same, for the other reports."""
    return option.sets == "traceback_style" and said.value in ("line", "no")


def _checked(option: Option, said: Said) -> str:
    """The value, or what the option stands for without one. Raises UsageError where the fleet cannot read it."""
    if option.constant:
        return option.constant
    check = _CHECKS.get(option.sets)
    problem = check(said.value) if check else ""
    if problem:
        raise UsageError(f"pytest's {said.text}: {problem}")
    return said.value


def _decisions(decided: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The fields of PytestArguments; as with pytest the last word counts."""
    last = {name: values[-1] for name, values in decided.items()}
    stepwise = max(decided.get("stepwise", ()), default="")
    limits = [int(value) for value in (last.get("max_failures", ""), stepwise) if value]
    slots = last.get("slots", "")
    in_order = slots == "0" or stepwise
    return {
        "max_failures": min(filter(None, limits), default=0) if limits else None,
        "junit": last.get("junit", ""),
        "verbosity": _verbosity(decided.get("verbosity", ())),
        "traceback_style": last.get("traceback_style", ""),
        "show_reasons": last.get("show_reasons", ""),
        "durations": int(last["durations"]) if "durations" in last else None,
        "durations_min": float(last["durations_min"]) if "durations_min" in last else None,
        "color": last.get("color", ""),
        "show_header": "show_header" not in last,
        "show_summary": "show_summary" not in last,
        "show_capture": last.get("show_capture", ""),
        "grouping": "suite" if in_order else _GROUPINGS[last.get("grouping", "no")],
        "slots": 1 if in_order else int(slots) if slots and slots not in _AUTOMATIC else None,
        "cache": tuple(dict.fromkeys(decided.get("cache", ()))) + (("--sw",) if stepwise else ()),
        "output_wanted": last.get("capture", "") == "no",
    }


def _verbosity(steps: Sequence[str]) -> int:
    level = 0
    for step in steps:
        level = level + _STEPS[step] if step in _STEPS else int(step)
    return level


def _whole(value: str) -> str:
    return "" if value.isdecimal() else "needs a whole number"


def _seconds(value: str) -> str:
    return "" if value.replace(".", "", 1).isdecimal() else "needs a number of seconds"


def _slots(value: str) -> str:
    return "" if value.isdecimal() or value in _AUTOMATIC else "needs a whole number, auto or logical"


def _grouping(value: str) -> str:
    if value == "each":
        return "a case runs once a target: name one --target for each kind of machine"
    return "" if value in _GROUPINGS else f"must be one of {', '.join(_GROUPINGS)}"


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    return lambda value: "" if value in choices else f"must be one of {', '.join(choices)}"


def _level(value: str) -> str:
    return "" if value.removeprefix("-").isdecimal() else "needs a whole number"


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "max_failures": _whole,
    "durations": _whole,
    "durations_min": _seconds,
    "slots": _slots,
    "grouping": _grouping,
    "verbosity": _level,
    "traceback_style": _one_of(TRACEBACKS),
    "show_capture": _one_of(CAPTURES),
    "color": _one_of(("yes", "no", "auto")),
}
