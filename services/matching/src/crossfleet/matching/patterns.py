"""Regular expressions that strangers send: RE2, which CEL brings, takes time in proportion to the text, whatever the pattern."""

from __future__ import annotations

from functools import cache
from typing import Any


class PatternError(ValueError):
    """A pattern that RE2 does not take; the message says why."""


def check_pattern(pattern: str) -> None:
    """Raises PatternError for what is no RE2 expression."""
    _found(pattern, "")


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. A pattern that RE2 does not take is found nowhere."""
    try:
        return _found(pattern, text)
    except PatternError:
        return False


def _found(pattern: str, text: str) -> bool:
    result = _program().eval(data={"pattern": pattern, "text": text})
    if result.type().name() != "BOOL":
        raise PatternError(str(result.value()).removeprefix("INVALID_ARGUMENT: "))
    return result.value() is True


@cache
def _program() -> Any:
    from cel_expr_python import cel  # 52 MB on disk: not loaded before a pattern is used

    kind = cel.Type
    return cel.NewEnv(variables={"pattern": kind.STRING, "text": kind.STRING}).compile("text.matches(pattern)")
