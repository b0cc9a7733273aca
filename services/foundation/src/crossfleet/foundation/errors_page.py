"""Writes docs/errors.md from the comments of the proto enum and the classes: `python -m crossfleet.foundation.errors_page`.

With `--check` it writes nothing and exits 1 when the page is not current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from crossfleet.foundation.errors import ERRORS_BY_REASON
from crossfleet.foundation.errors.registry import RESERVED
from crossfleet.foundation.pages import keep

PROTO = Path("protos/crossfleet/api/types/v1/error.proto")
PAGE = Path("docs/errors.md")
_VALUE = re.compile(r"ERROR_REASON_(\w+) = (\d+);")
_GROUPS = {
    0: "Requests",
    100: "Things that do not exist",
    200: "Content",
    300: "Access",
    400: "Leadership and fencing",
    500: "Conflicts",
    600: "Load and availability",
    700: "Scheduling",
    800: "Installation",
    900: "Execution",
    1000: "Integrations",
    9000: "Faults of crossfleet",
}
_INTRODUCTION = """\
# Errors

<!-- Made by `python -m crossfleet.foundation.errors_page` from error.proto and the classes: change those. -->

Every error is a gRPC status with a `google.rpc.ErrorInfo`: `domain` is `crossfleet`, `reason` is one of the names below,
`metadata` holds what varies. Wrong input adds `google.rpc.BadRequest` with the path of each field; an error that passes
by itself adds `google.rpc.RetryInfo`. REST answers carry the same reasons. Decide by the reason, never by the text.

In Python each reason is a class of `crossfleet.foundation.errors`, raised by the client as it was raised by the service.
"""


def reasons(proto: str) -> list[tuple[int, str, str]]:
    """(number, name without prefix, comment) of each value of the enum, in the order of the file."""
    found: list[tuple[int, str, str]] = []
    comment: list[str] = []
    for line in (raw.strip() for raw in proto.splitlines()):
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
            continue
        match = _VALUE.fullmatch(line)
        if match:
            found.append((int(match[2]), match[1], " ".join(comment)))
        comment = []
    return found


def page(proto: str) -> str:
    """The page as Markdown. Raises KeyError for a reason without a class."""
    parts = [_INTRODUCTION]
    group = -1
    for number, name, comment in reasons(proto):
        if name == "UNSPECIFIED":
            continue
        start = max(first for first in _GROUPS if first <= number)
        if start != group:
            group = start
            parts.append(f"\n## {_GROUPS[start]}\n\n| reason | status | class | what it means |\n|---|---|---|---|\n")
        kind = ERRORS_BY_REASON[name]
        meaning = comment.replace("|", "/") + (" *Reserved: nothing raises it yet.*" if name in RESERVED else "")
        parts.append(f"| `{name}` | `{kind.code.name}` | `{kind.__name__}` | {meaning} |\n")
    return "".join(parts)


def main(argv: list[str] | None = None) -> int:
    """Writes or checks the page."""
    return keep(PAGE, lambda: page(PROTO.read_text()), "python -m crossfleet.foundation.errors_page", argv)


if __name__ == "__main__":
    sys.exit(main())
