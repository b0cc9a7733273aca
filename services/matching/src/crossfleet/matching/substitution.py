"""Puts values for what a selector says of its run: `run.project`, `history.failed_hosts`.

Whoever offers a request to schedulers knows these values by then, so that a scheduler sees selectors over `worker` and `device` alone.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.names import suggestion

FIELDS: Mapping[str, tuple[str, ...]] = {
    "run": ("project", "target", "priority", "labels", "build", "hosts"),
    "history": ("hosts", "failed_hosts", "failed_models", "failures"),
}

Value = str | int | Sequence[str] | Mapping[str, str] | Mapping[str, Sequence[str]]
Values = Mapping[str, Value]
"""By name: ``{"run.project": "web", "history.failures": 0}``."""

# Literals and comments are passed over; of names those that begin a path.
_TOKEN = re.compile(
    r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*'
    r"|(?<![\w.])(?P<root>run|history)\b(?:\s*\.\s*(?P<field>[A-Za-z_]\w*))?"
)


@dataclass(frozen=True)
class Use:
    """A use of a value: its name, and where it stands in the text."""

    name: str
    start: int
    end: int


def uses(text: str) -> tuple[Use, ...]:
    """The values that a selector speaks of, in order. Raises SelectorError for one that does not exist."""
    return tuple(_uses(text))


def _uses(text: str) -> Iterator[Use]:
    for found in _TOKEN.finditer(text):
        root, name = found["root"], found["field"]
        if root is None:
            continue
        known = FIELDS[root]
        if name not in known:
            if name is None:
                message = f"write {root}.NAME: {root} has {', '.join(known)}"
            else:
                message = f"{root} has no {name!r}: {suggestion(name, known) or 'it has ' + ', '.join(known)}"
            at = found.start() if name is None else found.start("field")
            raise SelectorError(text, message, *_place(text, at))
        yield Use(f"{root}.{name}", found.start(), found.end())


def substitute(text: str, values: Values) -> str:
    """The selector with literals for the values that are given; those that are not stay. Raises SelectorError."""
    parts, at = [], 0
    for use in _uses(text):
        if use.name in values:
            parts += [text[at : use.start], literal(values[use.name])]
            at = use.end
    return "".join([*parts, text[at:]])


def original_place(text: str, values: Values, line: int, column: int) -> tuple[int, int]:
    """Where in a selector stands what stands at a line and column (from 1) of it once values were substituted."""
    shift = 0
    for use in _uses(text):
        if use.name not in values or _place(text, use.start)[0] != line:
            continue
        start, length = _place(text, use.start)[1] + shift, len(literal(values[use.name]))
        if column < start + length:
            return line, min(column, start) - shift
        shift += length - (use.end - use.start)
    return line, column - shift


def literal(value: Value) -> str:
    """A value as CEL writes it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(name)}: {literal(one)}" for name, one in value.items()) + "}"
    return "[" + ", ".join(literal(one) for one in value) + "]"


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
