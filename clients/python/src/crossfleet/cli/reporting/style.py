"""How a report for people looks: what pytest's own options say of it, with pytest's defaults."""

from __future__ import annotations

from dataclasses import dataclass

TRACEBACKS = ("auto", "long", "short", "line", "native", "no")
SERVICES = ("github", "gitlab", "azure", "teamcity", "buildkite", "jenkins")
CAPTURES = ("no", "stdout", "stderr", "log", "all")
REASONS = "fE"
_ALL_BUT_PASSED = "sxXEf"
_OLD_LETTERS = {"F": "f", "S": "s"}


@dataclass(frozen=True, slots=True)
class ReportStyle:
    """What a report shows. `verbosity` as pytest counts it: -1 quiet, -2 the verdict alone, 1 and more verbose."""

    verbosity: int = 0
    traceback_style: str = "auto"
    show_reasons: str = REASONS
    durations: int | None = None
    durations_min: float = 0.005
    show_capture: str = "all"
    show_summary: bool = True
    width: int = 80


def reasons(letters: str) -> str:
    """What pytest's -r means: `a` all but passed, `A` all, `N` nothing so far; each letter once, in order."""
    found = ""
    for letter in letters:
        now = _OLD_LETTERS.get(letter, letter)
        if now == "N":
            found = ""
        elif now == "a":
            found = _ALL_BUT_PASSED
        elif now == "A":
            found = "Pp" + _ALL_BUT_PASSED
        elif now not in found:
            found += now
    return found
