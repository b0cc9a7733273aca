"""The durations file: JSON, sorted, one case a line, so that a commit of a new one shows what changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.whole import write_whole

VERSION = 1
LONGEST_SECONDS = 7 * 86_400.0
"""No case takes longer than a week."""


class NoDurations(Exception):
    """The file's content is not durations; the message says why."""


def read(path: Path) -> tuple[dict[str, float], int]:
    """Seconds by case id, and how many entries were left out because no clock can have measured them.

    Reads the `.test_durations` of pytest-split too. Raises NoDurations, OSError; UsageError for a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, name a file")
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise NoDurations("it is no text in UTF-8") from None
    return parse(content)


def read_or_none(path: Path, option: str) -> dict[str, float]:
    """What a file says that is about to be written; nothing where there is none. Raises UsageError for any other file."""
    try:
        return read(path)[0]
    except FileNotFoundError:
        return {}
    except NoDurations as error:
        raise UsageError(f"{option} {path}: {error}; it is not written over: name another, or remove it") from None


def parse(content: str) -> tuple[dict[str, float], int]:
    """As `read`, from the text of a file. Raises NoDurations."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NoDurations(f"it is no JSON: {error}") from None
    entries = list(_entries(found))
    kept = {case_id: float(seconds) for case_id, seconds in entries if _is_case(case_id) and _is_duration(seconds)}
    return kept, len(entries) - len(kept)


def _entries(found: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(found, dict) and "version" in found and isinstance(found.get("cases"), dict):
        if found["version"] != VERSION:
            raise NoDurations(f"it is of version {found['version']!r}, this crossfleet reads version {VERSION}")
        return list(found["cases"].items())
    if isinstance(found, dict):  # pytest-split
        if 2 * sum("::" in name for name in found) < len(found):
            raise NoDurations("it holds no seconds by test id")
        return list(found.items())
    if isinstance(found, list) and all(isinstance(entry, list) and len(entry) == 2 for entry in found):
        return [(case_id, seconds) for case_id, seconds in found]  # pytest-split's first versions
    raise NoDurations("it holds no seconds by test id")


def _is_case(case_id: Any) -> bool:
    if not isinstance(case_id, str) or not case_id:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in case_id)


def _is_duration(seconds: Any) -> bool:
    """NaN compares false with everything; a whole number may be too large for a float."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= LONGEST_SECONDS


def write(path: Path, seconds: Mapping[str, float]) -> None:
    """Writes the file as a whole. Raises OSError."""
    write_whole(path, render(seconds))


def render(seconds: Mapping[str, float]) -> str:
    """The text of a file: three digits of each duration."""
    lines = [
        f"{json.dumps(case_id, ensure_ascii=False)}: {_rounded(seconds[case_id])!r}" for case_id in sorted(seconds)
    ]
    cases = ",\n".join(lines)
    return f'{{"version": {VERSION}, "cases": {{\n{cases}\n}}}}\n'


def _rounded(seconds: float) -> float:
    return min(float(f"{seconds:.3g}"), LONGEST_SECONDS)
