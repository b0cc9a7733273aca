"""How cases that failed are run again: crossfleet's own options, and those of pytest-rerunfailures among pytest's arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from crossfleet.cli.exits import UsageError

PLACEMENTS = ("same", "slot", "host", "model")
WAIT = 30.0
"""For how long another host or model is waited for, in seconds, where nothing else is said."""
MOST = 100
_AWAY = frozenset(("host", "model"))
_WITH_VALUE = frozenset(("--reruns", "--reruns-delay", "--only-rerun"))


@dataclass(frozen=True, slots=True)
class Reruns:
    """What a command line says of reruns; None or empty: nothing. `delay` and `wait` in seconds."""

    count: int | None = None
    placement: str = ""
    only: tuple[str, ...] = ()
    delay: float = 0.0
    fail_on_flaky: bool = False
    wait: float | None = None

    @property
    def patience(self) -> float:
        """For how long another place is waited for, in seconds."""
        return (WAIT if self.wait is None else self.wait) if self.placement in _AWAY else 0.0

    @property
    def ways(self) -> list[str]:
        """The options that say how a case is run again, which is nothing without a number."""
        given = {
            "--rerun-on": self.placement,
            "--rerun-wait": self.wait is not None,
            "--only-rerun": self.only,
            "--reruns-delay": self.delay,
        }
        return [name for name, said in given.items() if said]

    def over(self, other: Reruns) -> Reruns:
        """The same, with what only the other says."""
        return Reruns(
            other.count if self.count is None else self.count,
            self.placement or other.placement,
            self.only or other.only,
            self.delay or other.delay,
            self.fail_on_flaky or other.fail_on_flaky,
            other.wait if self.wait is None else self.wait,
        )


def add_options(made: argparse.ArgumentParser) -> None:
    """The group of `crossfleet run`."""
    add = made.add_argument_group("reruns").add_argument
    add("--reruns", type=count, default=None, metavar="N", help="run a case that failed again, up to N times")
    add(
        "--rerun-on",
        choices=PLACEMENTS,
        default="",
        help="where: the same slot, another slot (the default), another host, or another model of device (else host)",
    )
    add(
        "--rerun-wait",
        type=pause,
        default=None,
        metavar="TIME",
        help="with --rerun-on host or model: how long to wait for one that the fleet has and the run does not (30 s); then anywhere",
    )
    add(
        "--only-rerun",
        action="append",
        default=[],
        metavar="REGEX",
        help="only failures in whose one-line message this RE2 expression is found; repeatable",
    )
    add("--reruns-delay", type=pause, default=0.0, metavar="TIME", help="let a case rest first, such as 2, 1m")
    add("--fail-on-flaky", action="store_true", help="a case that failed first and passed later fails the run")


def of_options(found: dict[str, object]) -> Reruns:
    """Takes the values of the group out of parsed options. Raises UsageError."""
    names = ("reruns", "rerun_on", "only_rerun", "reruns_delay", "fail_on_flaky", "rerun_wait")
    number, placement, only, delay, fail, wait = (found.pop(name) for name in names)
    if wait is not None and placement not in _AWAY:
        raise UsageError("--rerun-wait needs --rerun-on host or --rerun-on model: other places are not waited for")
    return Reruns(number, placement, tuple(only), delay, fail, wait)  # type: ignore[arg-type]


def take_from_pytest(words: Sequence[str]) -> tuple[list[str], Reruns]:
    """Pytest's arguments without those of pytest-rerunfailures, which the fleet carries out. Raises UsageError.

    Never both: with the plugin, each of the fleet's reruns would be multiplied by its own.
    """
    left: list[str] = []
    found = Reruns()
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if name == "--rerun-except":
            raise UsageError(
                "--rerun-except: the fleet knows --only-rerun alone; `crossfleet run --local -- pytest ...` is pytest itself"
            )
        if name == "--fail-on-flaky":
            found = replace(found, fail_on_flaky=True)
        elif name in _WITH_VALUE:
            if not equals and not queue:
                raise UsageError(f"pytest's {name} needs a value")
            found = _taken(found, name, value if equals else queue.pop(0))
        else:
            left.append(word)
    return left, found


def _taken(found: Reruns, name: str, value: str) -> Reruns:
    try:
        if name == "--reruns":
            return replace(found, count=count(value))
        if name == "--reruns-delay":
            return replace(found, delay=pause(value))
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"pytest's {name}: {error}") from None
    return replace(found, only=(*found.only, value))


def count(text: str) -> int:
    """A number of reruns. Raises ArgumentTypeError, as argparse wants it."""
    if not text.isdecimal() or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 0 to {MOST}")
    return int(text)


def pause(text: str) -> float:
    """Seconds of `0`, `2`, `0.5s`, `1m`; at most an hour. Raises ArgumentTypeError."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:])
    try:
        value = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, or a number with s or m, at most an hour")
    return value
