"""`node --test`: the cases are files, as node finds them; the tests of a file show through a reporter of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crossfleet.worker.shim.programs.program import (
    Batch,
    Command,
    Distinct,
    Ended,
    Event,
    LineReader,
    Listing,
    Output,
    Started,
    Trouble,
    without_options,
)

_INSIDE = Path(__file__).resolve().parents[2] / "inside"
_VALUED = """-r --require --import --loader --experimental-loader -C --conditions --env-file --env-file-if-exists
--test-name-pattern --test-skip-pattern --test-timeout --title --input-type --watch-path --test-coverage-include
--test-coverage-exclude --test-coverage-branches --test-coverage-functions --test-coverage-lines
--test-global-setup""".split()
_OURS = (
    "--test-reporter",
    "--test-reporter-destination",
    "--test-concurrency",
    "--test-isolation",
    "--experimental-test-isolation",
)
_KEPT_LINES = 500


class NodeTest:
    """`node [options] --test [options] [files]`. Raises ValueError where nothing could be distributed."""

    fine_codes = (0,)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        if "--watch" in argv:
            raise ValueError("node --test --watch never ends: leave --watch out")
        self._node = argv[0]
        self._words = without_options(argv[1:], valued=_OURS)
        self._options: list[str] = []
        words = iter(self._words)
        for word in words:
            if word.startswith("-") and word != "--test":
                self._options.append(word)
                if word in _VALUED:
                    self._options.append(next(words, ""))

    def listing(self, results: str) -> Command:
        """Node's own search: each process that it starts for a file writes down its name instead of running it."""
        preload = ["--require", str(_INSIDE / "node_list.cjs")]
        return Command([self._node, *preload, *self._words], {"CROSSFLEET_LIST": results, "NODE_TEST_CONTEXT": None})

    def listed(self, output: Output) -> Listing:
        """One file a line."""
        files = sorted({json.loads(line) for line in output.results.splitlines()})
        if not files and output.code:
            what = output.stderr.strip().partition("\n")[0] or "node --test cannot find its files"
            return Listing(errors=[Trouble("node --test", what, output.said)])
        return Listing([(name, "") for name in files])

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """One file: node would give it a process of its own as well."""
        options = [word for word in self._options if not word.startswith("--test-shard")]
        reporter = ["--test-reporter", str(_INSIDE / "node_reporter.mjs"), "--test-reporter-destination", results]
        shown = ["--test-reporter", "spec", "--test-reporter-destination", "stdout"]
        argv = [self._node, *options, *shown, *reporter, ids[0]]
        return Batch(Command(argv, {"NODE_TEST_CONTEXT": None}), ids[:1], _Results(ids[0]))


class _Results(LineReader):
    """Events of node's runner, one JSON object a line; how the process ended is the verdict of the file."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file
        self._names = Distinct()
        self._began = False
        self._path: list[str] = []
        self._failed = 0
        self._said: list[str] = []

    def take(self, stream: str, text: str) -> list[Event]:
        begun: list[Event] = [] if self._began else [Started(self._file)]
        self._began = True
        return begun + super().take(stream, text)

    def line(self, stream: str, line: str) -> Iterable[Event]:
        if stream == "stderr" and len(self._said) < _KEPT_LINES:
            self._said.append(line)
        if stream != "results" or not line:
            return
        event = json.loads(line)
        depth = int(event.get("nesting") or 0)
        self._path[depth:] = [str(event.get("name"))]
        if event["type"] != "test:start":
            yield self._ended(event)

    def finish(self, code: int) -> Iterable[Event]:
        if code < 0:
            return
        message = f"{self._failed} test{'s' * (self._failed > 1)} failed" if self._failed else ""
        if code and not message:
            message = f"node exited with status {code}"
        details = "\n".join([message, *self._said]) if message and not self._failed else message
        yield Ended(self._file, "failed" if message else "passed", None, message, details)

    def _ended(self, event: dict[str, Any]) -> Ended:
        identity = self._names.name(f"{self._file}::{' > '.join(self._path)}")
        skip, todo = event.get("skip"), event.get("todo")
        failed = event["type"] == "test:fail"
        outcome = "failed" if failed else "passed"
        if skip is not None and skip is not False:
            outcome = "skipped"
        elif todo is not None and todo is not False:
            outcome = "xfailed" if failed else "passed"
        self._failed += outcome == "failed"
        reason = next((word for word in (skip, todo) if isinstance(word, str)), "")
        error = str(event.get("error") or "")
        seconds = float(event.get("milliseconds") or 0.0) / 1000
        message = error.partition("\n")[0] if failed else reason
        return Ended(identity, outcome, seconds, message, str(event.get("stack") or error) if failed else "")
