"""`crossfleet` as a user types it: single commands, and fleets that stand while tests use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import Finished

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
START_SECONDS = 45.0


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's own, without a fleet, colours or a terminal's width."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CROSSFLEET_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **(extra or {})}


def crossfleet(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 50.0, text: bytes = b""
) -> Finished:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "crossfleet.cli.main", *words],
        cwd=cwd,
        env=environment(env),
        input=text,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


@dataclass
class Standing:
    """A fleet that `crossfleet up` keeps. `events` is what it printed until it served."""

    data: Path
    process: subprocess.Popen[bytes]
    events: list[dict[str, Any]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def addresses(self, service: str = "coordinator") -> list[str]:
        """Where a service listens."""
        return next(event["addresses"] for event in self.events if event.get("service") == service)

    def run(
        self,
        *words: str,
        cwd: Path,
        options: tuple[str, ...] = (),
        seconds: float = 50.0,
        env: Mapping[str, str] | None = None,
    ) -> Finished:
        """`crossfleet run OPTIONS -- WORDS` on it."""
        data = () if self.env else ("--data", str(self.data))
        env = {**self.env, **(env or {})}
        return crossfleet("run", *data, *options, "--", *words, cwd=cwd, env=env, seconds=seconds)

    def ask(self, *words: str, cwd: Path | None = None) -> Finished:
        """Any other command, asking this fleet."""
        return crossfleet(words[0], "--data", str(self.data), *words[1:], cwd=cwd or self.data, env=self.env)

    def report(
        self, *words: str, cwd: Path, options: tuple[str, ...] = (), seconds: float = 50.0
    ) -> tuple[Finished, dict[str, Any]]:
        """A run with its JSON report."""
        done = self.run(*words, cwd=cwd, options=("--json", str(cwd / "report.json"), *options), seconds=seconds)
        return done, json.loads((cwd / "report.json").read_text()) if (cwd / "report.json").exists() else {}


@contextmanager
def up(data: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Standing]:
    """A fleet from the moment at which it serves to the end of the block."""
    log = data.with_name(f"{data.name}.err")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "crossfleet.cli.main", "up", "--data", str(data), "--output", "json", *flags],
            cwd=data.parent,
            env=environment({"XDG_RUNTIME_DIR": str(data.parent), **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    fleet = Standing(data, process)
    late = threading.Timer(START_SECONDS, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            fleet.events.append(json.loads(line))
            if fleet.events[-1]["event"] == "serving":
                break
        late.cancel()
        assert fleet.events, log.read_text()
        assert fleet.events[-1]["event"] == "serving", (fleet.events, log.read_text())
        yield fleet
    finally:
        late.cancel()
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def outcomes(report: Mapping[str, Any], target: str = "default") -> dict[str, str]:
    """Outcome by case id of a JSON report."""
    return {case["id"]: case["outcome"] for case in report["cases"] if case["target"] == target}
