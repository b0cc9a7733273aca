"""Values of the protocols' enums as people and programs read them."""

from __future__ import annotations

from typing import Any

_UNKNOWN = "unknown_"


def word(enum: Any, number: int) -> str:
    """`timed_out` of OUTCOME_TIMED_OUT; `unknown_21` of a value that only a later version knows.

    `enum` is the generated class, or its descriptor.
    """
    descriptor = _descriptor(enum)
    value = descriptor.values_by_number.get(number)
    return f"{_UNKNOWN}{number}" if value is None else value.name.removeprefix(_prefix(descriptor)).lower()


def number_of(enum: Any, text: str) -> int:
    """The number of what `word` has answered. Raises KeyError, ValueError for anything else."""
    if text.startswith(_UNKNOWN):
        return int(text.removeprefix(_UNKNOWN))
    descriptor = _descriptor(enum)
    return int(descriptor.values_by_name[f"{_prefix(descriptor)}{text.upper()}"].number)


def _descriptor(enum: Any) -> Any:
    return getattr(enum, "DESCRIPTOR", enum)


def _prefix(descriptor: Any) -> str:
    """`RUN_VERDICT_` of RunVerdict: what the names of an enum begin with."""
    parts = (f"_{letter}" if letter.isupper() else letter for letter in descriptor.name)
    return "".join(parts).strip("_").upper() + "_"
