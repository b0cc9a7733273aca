"""Vitest: the cases are files, from `vitest list --filesOnly`; the tests of a file are in the JSON report."""

from __future__ import annotations

import json
import os.path
from collections.abc import Iterable, Sequence
from typing import Any

from crossfleet.worker.shim.programs.program import (
    Batch,
    Command,
    Distinct,
    Ended,
    Event,
    Listing,
    Output,
    fitting,
    without_options,
)

_NAME = "vitest"
_MODES = ("run", "watch", "dev", "related", "bench", "list", "init", "typecheck")
_SWITCHES = """-u --update -w --watch --run --coverage --ui --open --api --silent --hideSkippedTests --globals --dom
--passWithNoTests --logHeapUsage --allowOnly --dangerouslyIgnoreUnhandledErrors --isolate --color --typecheck
--changed --cache --expandSnapshotDiff --disableConsoleIntercept --clearScreen --standalone --fileParallelism
--printConsoleTrace""".split()
_OURS = ("--reporter", "--outputFile")
_MAXIMUM_REPORT = 256 * 1024 * 1024


class Vitest:
    """Words up to `vitest`, however it is started, then `run` and its own. ValueError: modes that run no tests once."""

    fine_codes = (0,)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        at = next((index for index, word in enumerate(argv) if _is_vitest(word)), -1)
        if at < 0:
            raise ValueError("the words do not name vitest")
        self._folder = os.path.realpath(folder)
        self._start = list(argv[: at + 1])
        words = list(argv[at + 1 :])
        mode = words.pop(0) if words and words[0] in _MODES else "run"
        if mode not in ("run", "watch", "dev"):
            raise ValueError(f"vitest {mode} is not distributed: use --runner command")
        self._words = without_options(words, "--outputFile.", "--shard", valued=_OURS, flags=("-w", "--watch", "--run"))
        self._options: list[str] = []
        rest = iter(self._words)
        for word in rest:
            if word.startswith("-"):
                self._options.append(word)
                if "=" not in word and word not in _SWITCHES and not word.startswith("--no-"):
                    self._options.append(next(rest, ""))

    def listing(self, results: str) -> Command:
        """Vitest's own search, with the filters of the command line."""
        return Command([*self._start, "list", "--filesOnly", f"--json={results}", *self._words])

    def listed(self, output: Output) -> Listing:
        """One file each; files of several projects come once."""
        try:
            files = [str(one["file"]) for one in json.loads(output.results or "[]")]
        except (ValueError, TypeError, KeyError):
            files = []
        if output.code or (not files and "No test files found" not in output.said and output.stderr.strip()):
            return Listing(refused=f"vitest cannot list its files: version 2.1 or newer is needed\n{output.said}")
        return Listing([(os.path.relpath(name, self._folder), "") for name in dict.fromkeys(files)])

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """These files in one vitest."""
        chosen = fitting(ids)
        report = ["--reporter=default", "--reporter=json", f"--outputFile.json={results}"]
        argv = [*self._start, "run", *self._options, *report, *chosen]
        return Batch(
            Command(argv, {"NO_COLOR": "1", "FORCE_COLOR": None}, merged=True), chosen, _Results(self._folder, chosen)
        )


def _is_vitest(word: str) -> bool:
    return os.path.basename(word).partition("@")[0] in (_NAME, "vitest.mjs", "vitest.js")


class _Results:
    """The report comes as one text at the end."""

    def __init__(self, folder: str, files: Sequence[str]) -> None:
        self._files = {os.path.normpath(os.path.join(folder, file)): file for file in files}
        self._report: list[str] = []
        self._size = 0

    def take(self, stream: str, text: str) -> Iterable[Event]:
        """Keeps the report. Raises ValueError where it is too long."""
        if stream == "results":
            self._size += len(text)
            if self._size > _MAXIMUM_REPORT:
                raise ValueError(f"the report has more than {_MAXIMUM_REPORT} characters: select fewer files at a time")
            self._report.append(text)
        return ()

    def end(self, code: int) -> Iterable[Event]:
        """Each file of this batch with its tests. Without a report nothing is known."""
        for one in json.loads("".join(self._report) or "{}").get("testResults") or ():
            file = self._files.get(str(one.get("name")), "")
            if file:
                yield from _file(file, one)

    def said(self) -> Sequence[tuple[str, str]]:
        return ()


def _file(file: str, report: dict[str, Any]) -> Iterable[Event]:
    names, failed = Distinct(), 0
    for test in report.get("assertionResults") or ():
        path = " > ".join([*map(str, test.get("ancestorTitles") or ()), str(test.get("title"))])
        outcome = {"passed": "passed", "failed": "failed"}.get(str(test.get("status")), "skipped")
        failed += outcome == "failed"
        text = "\n".join(map(str, test.get("failureMessages") or ()))
        seconds = float(test.get("duration") or 0.0) / 1000
        message = text.partition("\n")[0] or ("todo" if test.get("status") == "todo" else "")
        yield Ended(names.name(f"{file}::{path}"), outcome, seconds, message, text)
    seconds = max(float(report.get("endTime") or 0) - float(report.get("startTime") or 0), 0.0) / 1000
    message = str(report.get("message") or "")
    if failed:
        message = f"{failed} test{'s' * (failed > 1)} failed"
    outcome = "passed" if report.get("status") == "passed" else "failed" if failed else "error"
    yield Ended(file, outcome, seconds, message.partition("\n")[0], message)
