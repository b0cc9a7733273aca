"""Collects what is wrong with a request, field by field, and tells all of it at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crossfleet.foundation.errors import CrossfleetError, FieldViolation, InvalidArgument, SelectorInvalid
from crossfleet.matching.cel import SelectorError

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
NAME_RULE = "letters, digits, '.', '_' and '-', at most 64 bytes, not starting with '.'"


class Checks:
    """Each check names a field by its path (`spec.targets[1].name`) and says what is allowed."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._wrong: list[FieldViolation] = []
        self._selectors: list[tuple[str, SelectorError]] = []

    def require(self, holds: bool, path: str, allowed: str) -> bool:
        """Notes a violation unless `holds`; answers `holds`."""
        if not holds:
            self._wrong.append(FieldViolation(path, allowed))
        return holds

    def name(self, text: str, path: str) -> bool:
        """A name of a thing that people chose."""
        return self.require(NAME.fullmatch(text) is not None, path, NAME_RULE)

    def size(self, text: str, path: str, most: int) -> bool:
        """A text of at most `most` bytes."""
        return self.require(len(text.encode()) <= most, path, f"at most {most} bytes")

    def selector(self, path: str, target: str, error: SelectorError) -> None:
        """A selector that does not compile."""
        self._wrong.append(FieldViolation(path, str(error)))
        self._selectors.append((target, error))

    def finish(self, what: str) -> None:
        """Raises InvalidArgument with everything that is wrong; SelectorInvalid where that is selectors only."""
        if not self._wrong:
            return
        raise _error(what, self._wrong, self._selectors)


def _error(
    what: str, wrong: Sequence[FieldViolation], selectors: Sequence[tuple[str, SelectorError]]
) -> CrossfleetError:
    if len(selectors) == len(wrong):
        target, error = selectors[0]
        return SelectorInvalid(
            f"target {target}: {error}",
            fields=wrong,
            selector=error.selector,
            column=error.column,
            line=error.line,
            target=target,
        )
    count = f"{len(wrong)} fields are" if len(wrong) > 1 else "one field is"
    return InvalidArgument(f"{what}: {count} wrong", fields=wrong)
