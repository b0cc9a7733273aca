"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.cli.reporting.paint import Paint, plain

_NAMED = 5


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset(), paint: Paint = plain
) -> str:
    """Columns as wide as their widest cell; those in `right` are aligned to the right."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(aligned).rstrip()

    return "\n".join([paint(line(heads), "bold"), *(line(row) for row in rows)])


def some(names: Sequence[str]) -> str:
    """The first of many, and how many more there are."""
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])


def shorten(text: str, width: int) -> str:
    """At most `width` characters, the middle left out."""
    if len(text) <= width:
        return text
    head = (width - 3) // 2
    return f"{text[:head]}...{text[len(text) - (width - 3 - head) :]}"
