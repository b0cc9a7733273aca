"""A small suite by plain pytest and on a fleet of two slots, with the same arguments, and what both left."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.commands import Finished
from tests.end_to_end.standing import Standing, crossfleet, environment

QUIET = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:flaky", "-p", "no:sugar")
"""Plugins that would bend what the others show; a test of theirs asks for them."""
INI = "[pytest]\nfilterwarnings = ignore\nasyncio_default_fixture_loop_scope = function\n"


@dataclass(frozen=True)
class Seen:
    """What one of the two showed: exit status, what was printed, outcomes by id, and how to ask what pytest's session printed."""

    status: int
    text: str
    outcomes: dict[str, str]
    ask: Callable[[], str]

    @cached_property
    def session(self) -> str:
        """What pytest's session printed."""
        return self.ask()

    @property
    def counts(self) -> str:
        """The counts of pytest's last line, which stand in no order that could be compared otherwise."""
        lines = [line for line in self.session.splitlines() if re.search(r" in [0-9.]+s", line)]
        return re.sub(r" in [0-9.]+s.*| *=+ *|, \d+ warnings?", "", lines[-1]).strip() if lines else self.session


def write(root: Path, files: Mapping[str, str]) -> Path:
    """A project of these files."""
    for name, text in {"pytest.ini": INI, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
    return root


def plain(python: Path, root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Seen:
    """By pytest itself."""
    done = subprocess.run(
        [str(python), "-m", "pytest", *arguments],
        cwd=root,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    text = done.stdout + done.stderr
    return Seen(done.returncode, text, {}, lambda: text)


def fleet(
    standing: Standing,
    python: Path,
    root: Path,
    *arguments: str,
    options: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    seconds: float = 120.0,
) -> Seen:
    """On a fleet."""
    report = root.with_name(f"{root.name}.json")
    report.unlink(missing_ok=True)
    done: Finished = crossfleet(
        *("run", "--data", str(standing.data), "--json", str(report), *options),
        *("--", str(python), "-m", "pytest", *arguments),
        cwd=root,
        env={**standing.env, **(env or {})},
        seconds=seconds,
    )
    if not report.exists():
        return Seen(done.status, done.text, {}, str)
    document = json.loads(report.read_text())
    outcomes = {case["id"]: case["outcome"] for case in document["cases"]}
    return Seen(done.status, done.text, outcomes, lambda: standing.ask("logs", document["run"]["run_id"], cwd=root).out)
