"""What a pytest session prints at its end beyond what is reported here: warnings, and sections of plugins. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_RULER = re.compile(r"^(?:\x1b\[[0-9;]*m)*=+ (?P<title>.+?) =+(?:\x1b\[[0-9;]*m)*$")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_COUNTS = re.compile(r"\b(?P<warnings>[0-9]+) warnings?\b.* in [0-9.]+s|\bin [0-9.]+s")
# Told by the report itself, from the results of all sessions.
_REPORTED_HERE = re.compile(
    r"test session starts|ERRORS|FAILURES|PASSES|XPASSES|XFAILURES|short test summary info|slowest .*durations|.* in [0-9.]+s.*"
)
# With -q pytest writes why it stopped and its counts below the last section, without a ruler.
_BARE_COUNTS = re.compile(
    r"!{3,} .+ !{3,}|(?:no tests ran|[0-9]+ [a-z ]+(?:, [0-9]+ [a-z ]+)*) in [0-9.]+s(?: \(.*\))?"
)
MOST_LINES = 400


@dataclass(frozen=True, slots=True)
class LastWords:
    """The end of one session: how many warnings it counted, and its sections by their titles."""

    target: str
    worker_id: str
    warnings: int
    sections: tuple[tuple[str, str], ...]


def last_words(target: str, worker_id: str, text: str) -> LastWords:
    """What of a session's output is worth a place in the report; a section of more than MOST_LINES lines is cut."""
    text = _COLOURS.sub("", text)
    counted = [int(found["warnings"] or 0) for found in _COUNTS.finditer(text)]
    kept = [(title, _cut(body)) for title, body in _sections(text) if not _REPORTED_HERE.fullmatch(title)]
    return LastWords(target, worker_id, counted[-1] if counted else 0, tuple(kept))


def _sections(text: str) -> Iterator[tuple[str, str]]:
    title, lines = "", list[str]()
    for line in text.splitlines():
        found = _RULER.match(line)
        if not found:
            lines.append(line)
            continue
        if title:
            yield title, "\n".join(lines).strip("\n")
        title, lines = found["title"], []
    if title:
        yield title, "\n".join(line for line in lines if not _BARE_COUNTS.fullmatch(line)).strip("\n")


def _cut(body: str) -> str:
    lines = body.splitlines()
    if len(lines) <= MOST_LINES:
        return body
    return "\n".join([*lines[:MOST_LINES], f"[{len(lines) - MOST_LINES} more lines: crossfleet logs RUN]"])
