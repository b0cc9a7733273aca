"""Rust's libtest, as `cargo test` prints it: the stable text, or the JSON of `-- -Zunstable-options --format json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from crossfleet.worker.shim.programs.program import Distinct, Ended, Event
from crossfleet.worker.shim.programs.whole import WholeCommand, WholeReader

_BINARY = re.compile(r"\s*Running (?:unittests )?(\S+) \(.*\)$")
_DOCTESTS = re.compile(r"\s*Doc-tests (\S+)$")
_TEST = re.compile(r"test (.+?)(?: - should panic)? \.\.\. (.*)$")
_VERDICT = re.compile(r"(ok|FAILED|ignored)(?:, (.*))?(?: <([\d.]+)s>)?$")
_OUTPUT = re.compile(r"---- (.+?) (?:stdout|stderr) ----$")
_OUTCOMES = {"ok": "passed", "FAILED": "failed", "failed": "failed", "ignored": "skipped", "timeout": "failed"}


class _Results(WholeReader):
    """Cases are named `binary::path`, the binary by its source file, as one name may be in several of them."""

    def __init__(self, identity: str) -> None:
        super().__init__(identity)
        self._names = Distinct()
        self._binary = ""
        self._waiting = ""
        self._failures: dict[str, list[str]] = {}
        self._section: list[str] | None = None

    def case_line(self, line: str) -> Iterable[Event]:
        if line.startswith("{"):
            return self._json(line)
        binary = _BINARY.match(line) or _DOCTESTS.match(line)
        if binary:
            done = self._settle()
            self._binary = binary[1] if _BINARY.match(line) else f"doc-tests {binary[1]}"
            return done
        if line.startswith("test result: "):
            return self._settle()
        return self._text(line)

    def case_end(self) -> Iterable[Event]:
        return self._settle()

    def _text(self, line: str) -> Iterable[Event]:
        test, heading = _TEST.match(line), _OUTPUT.match(line)
        if heading:
            self._section = self._failures.setdefault(heading[1].removesuffix(" - should panic"), [])
        elif line == "failures:" and self._section is not None:
            self._section = None
        elif self._section is not None:
            self._section.append(line)
        name, verdict = (test[1], _VERDICT.match(test[2])) if test else (self._waiting, _VERDICT.match(line))
        if test and verdict is None:
            self._waiting = name  # with --nocapture the test's own output comes before the verdict
        elif name and verdict and self._section is None:
            self._waiting = ""
            if verdict[1] == "FAILED":
                self._failures[name] = []  # what it printed comes after all cases
            else:
                yield Ended(self._name(name), _OUTCOMES[verdict[1]], float(verdict[3] or 0), verdict[2] or "")

    def _settle(self) -> Iterable[Event]:
        failures, self._failures, self._section = self._failures, {}, None
        for name, lines in failures.items():
            text = "\n".join(lines).strip()
            yield Ended(self._name(name), "failed", 0.0, _panic(text), text)

    def _json(self, line: str) -> Iterable[Event]:
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        if said.get("type") == "test" and said.get("event") in _OUTCOMES:
            outcome, text = _OUTCOMES[said["event"]], str(said.get("stdout") or "")
            seconds = float(said.get("exec_time") or 0)
            message = str(said.get("message") or "") or (_panic(text) if outcome == "failed" else "")
            yield Ended(self._name(str(said.get("name"))), outcome, seconds, message, text)

    def _name(self, name: str) -> str:
        return self._names.name(f"{self._binary}::{name}" if self._binary else name)


def _panic(text: str) -> str:
    """What a panic says: its line, and the one after it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for index, line in enumerate(lines):
        if " panicked at " in line:
            return lines[index + 1] if line.endswith(":") and index + 1 < len(lines) else line
    return lines[0] if lines else "FAILED"


class Libtest(WholeCommand):
    """Any command that prints libtest's results."""

    reader = _Results
