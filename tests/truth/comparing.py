"""The same suite by plain pytest and by `crossfleet run`: case by case."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

from tests.end_to_end.standing import crossfleet, environment

HERE = Path(__file__).resolve().parent
SECONDS = 900


def plain(python: Path, arguments: tuple[str, ...], cwd: Path, folder: Path) -> dict[str, str]:
    """What plain pytest counts, by test id."""
    written = folder / "plain.json"
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "plain_outcomes", *arguments],
        cwd=cwd,
        env=environment({"PYTHONPATH": str(HERE), "OUTCOMES": str(written)}),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert written.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(written.read_text()))


def fleet(python: Path, arguments: tuple[str, ...], cwd: Path, folder: Path) -> dict[str, str]:
    """What `crossfleet run` reports, by test id. Fails where a case is reported twice."""
    written = folder / "fleet.json"
    done = crossfleet(
        *("run", "--data", str(folder / "data"), "--slots", "2", "--json", str(written), "-q"),
        *("--", str(python), "-m", "pytest", "-p", "no:cacheprovider", *arguments),
        cwd=cwd,
        env={"XDG_RUNTIME_DIR": str(folder)},
        seconds=SECONDS,
    )
    assert written.exists(), done.text
    cases = [(case["id"], case["outcome"]) for case in json.loads(written.read_text())["cases"]]
    twice = [name for name, count in Counter(name for name, _ in cases).items() if count > 1]
    assert not twice, twice
    return dict(cases)


def differences(expected: dict[str, str], found: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Ids whose outcomes differ, with both; empty: missing there."""
    return {
        name: (expected.get(name, ""), found.get(name, ""))
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    }
