"""One row of the table of pytest's options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Treatment(Enum):
    """What crossfleet does with an option; the value is the word of the documentation, which says more."""

    PASSED_ON = "passed on"
    TAKEN_OVER = "taken over"
    REWRITTEN = "rewritten"
    LEFT_OUT = "left out"
    REFUSED = "refused"


class Value(Enum):
    """How many words belong to an option."""

    NONE = 0
    ONE = 1
    TWO = 2
    OPTIONAL = -1
    """One, where the next word is not an option."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option under all its names. `says` is what happens, in one line; for a refused one it is the hint.

    `sets` names the part of PytestArguments that a taken-over option decides, `constant` what it sets without a value.
    `kept` says whether the workers' pytest gets a taken-over option too.
    """

    names: tuple[str, ...]
    treatment: Treatment
    says: str = ""
    value: Value = Value.NONE
    sets: str = ""
    constant: str = ""
    kept: bool = True
    plugin: str = "pytest"


def passed(names: str, says: str = "", value: Value = Value.NONE) -> Option:
    """A row for an option that is passed on; `names` are separated by spaces."""
    return Option(tuple(names.split()), Treatment.PASSED_ON, says, value)


def taken(
    names: str, says: str, sets: str, value: Value = Value.NONE, *, constant: str = "", kept: bool = True
) -> Option:
    """A row for an option that the fleet takes over."""
    return Option(tuple(names.split()), Treatment.TAKEN_OVER, says, value, sets, constant, kept)


def rewritten(names: str, says: str, value: Value = Value.ONE) -> Option:
    """A row for an option whose value each slot gets in a form of its own."""
    return Option(tuple(names.split()), Treatment.REWRITTEN, says, value)


def left_out(names: str, says: str, value: Value = Value.NONE) -> Option:
    """A row for an option that no worker gets."""
    return Option(tuple(names.split()), Treatment.LEFT_OUT, says, value, kept=False)


def refused(names: str, hint: str, value: Value = Value.NONE) -> Option:
    """A row for an option that ends the command with a hint."""
    return Option(tuple(names.split()), Treatment.REFUSED, hint, value, kept=False)
