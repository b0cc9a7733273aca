"""The same suite by plain pytest and by `crossfleet run`: case by case, with what each case printed."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.standing import crossfleet, environment

HERE = Path(__file__).resolve().parent
SECONDS = 900
LONGEST_SECTION = 64 * 1024
"""A longer one loses its middle on the fleet."""
VARYING = (
    (re.compile(r"\b0x[0-9a-fA-F]{4,}"), "ADDRESS"),
    (re.compile(r"/tmp/pytest-of-\w+/pytest-\d+(?:/popen-gw\d+)?(/[\w-]*?)\d+\b"), r"TMP\1"),
    (re.compile(r"\b\d{10}\.\d+\b"), "TIME"),
    (re.compile(r"\b(oldfd|targetfd_save|name)=\d+"), r"\1=DESCRIPTOR"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:s|ms|seconds)\b"), "DURATION"),
    (re.compile(r"\\x[89a-f][0-9a-f]"), "\ufffd"),  # bytes that are not UTF-8 are kept, pytest replaces them
)
"""What two runs of plain pytest do not print alike either, and that one difference."""


@dataclass(frozen=True)
class Shown:
    """What is told of a case: its outcome and the captured sections, title and text."""

    outcome: str
    sections: tuple[tuple[str, str], ...] = ()


def plain(python: Path, arguments: Sequence[str], cwd: Path, folder: Path) -> dict[str, Shown]:
    """What plain pytest counts and shows, by test id."""
    written = folder / "plain.json"
    done = subprocess.run(
        [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-p", "plain_outcomes", *arguments],
        cwd=cwd,
        env=environment({"PYTHONPATH": str(HERE), "OUTCOMES": str(written)}),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    assert written.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return {name: _shown(outcome, sections) for name, outcome, sections in json.loads(written.read_text())}


def fleet(python: Path, arguments: Sequence[str], cwd: Path, folder: Path) -> dict[str, Shown]:
    """What `crossfleet run` reports, by test id. Fails where a case is reported twice."""
    written = folder / "fleet.json"
    done = crossfleet(
        *("run", "--data", str(folder / "data"), "--slots", "2", "--json", str(written), "-q"),
        *("--", str(python), "-m", "pytest", "-p", "no:cacheprovider", "--durations=1", *arguments),
        cwd=cwd,
        env={"XDG_RUNTIME_DIR": str(folder)},
        seconds=SECONDS,
    )
    assert written.exists(), done.text
    cases: list[dict[str, Any]] = json.loads(written.read_text())["cases"]
    twice = [name for name, count in Counter(case["id"] for case in cases).items() if count > 1]
    assert not twice, twice
    return {
        case["id"]: _shown(case["outcome"], [(one["title"], one["content"]) for one in case.get("sections", ())])
        for case in cases
    }


def _shown(outcome: str, sections: Sequence[Sequence[str]]) -> Shown:
    return Shown(outcome, tuple((title, _comparable(text)) for title, text in sections))


def _comparable(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    if len(text) > LONGEST_SECTION // 2:
        return text[:1000] + text[-1000:]
    return text


def outcomes(found: Mapping[str, Shown]) -> dict[str, str]:
    """Outcomes by test id."""
    return {name: shown.outcome for name, shown in found.items()}


def differences(expected: Mapping[str, Shown], found: Mapping[str, Shown]) -> dict[str, tuple[Any, Any]]:
    """Ids whose outcomes or sections differ, with both; None: missing there."""
    return {
        name: (expected.get(name), found.get(name))
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    }
