"""GoogleTest binaries: `--gtest_list_tests`, then batches by `--gtest_filter`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from crossfleet.worker.shim.programs.program import (
    Batch,
    Command,
    Ended,
    Event,
    LineReader,
    Listing,
    Output,
    Started,
    Trouble,
    fitting,
    without_options,
)

_OURS = ("--gtest_list_tests", "--gtest_output", "--gtest_color", "--gtest_brief", "--gtest_stream_result_to")
# Another sharding, or a filter of the environment, would take cases from those that were asked for.
_ENV = dict.fromkeys(
    ("GTEST_TOTAL_SHARDS", "GTEST_SHARD_INDEX", "GTEST_SHARD_STATUS_FILE", "GTEST_FILTER", "GTEST_OUTPUT")
)
_NAME = re.compile(r"[^\s#]+")
_RUN = re.compile(r"\[ RUN      \] (\S+)$")
_END = re.compile(r"\[(       OK |  FAILED  |  SKIPPED )\] ([^\s,]+)(?:, where .*)? \((\d+) ms\)$")
_OUTCOMES = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}
_FAILURE = re.compile(r".*: (Failure|error: )|unknown file: ")
_KEPT = 1024 * 1024


class GoogleTest:
    """A binary and its own words."""

    fine_codes = (0,)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        self._argv = without_options(argv, *_OURS)
        self._disabled_too = any(
            word in ("--gtest_also_run_disabled_tests", "--gtest_also_run_disabled_tests=1") for word in argv
        )

    def listing(self, results: str) -> Command:
        """The filter of the command line counts here."""
        return Command([*self._argv, "--gtest_list_tests"], _ENV)

    def listed(self, output: Output) -> Listing:
        """Suites are lines that end with a dot, their tests are indented."""
        cases: list[tuple[str, str]] = []
        skipped: list[Trouble] = []
        suite = ""
        for line in output.stdout.splitlines():
            name = _NAME.match(line.strip())
            if name is None or (not line.startswith("  ") and not name[0].endswith(".")):
                continue
            if not line.startswith("  "):
                suite = name[0]
            elif suite:
                self._sort(suite, name[0], cases, skipped)
        if output.code:
            return Listing(refused=f"{self._argv[0]} lists no cases: is it a GoogleTest binary?\n{output.said}")
        return Listing(cases, skipped=skipped)

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """Exactly these cases."""
        chosen = fitting(ids)
        argv = without_options(self._argv, "--gtest_filter")
        words = [f"--gtest_filter={':'.join(chosen)}", f"--gtest_output=json:{results}", "--gtest_color=no"]
        return Batch(Command([*argv, *words], _ENV, merged=True), chosen, _Results())

    def _sort(self, suite: str, test: str, cases: list[tuple[str, str]], skipped: list[Trouble]) -> None:
        identity = suite + test
        disabled = any(part.startswith("DISABLED_") for part in re.split(r"[./]", identity))
        if disabled and not self._disabled_too:
            skipped.append(Trouble(identity, "disabled"))
        else:
            cases.append((identity, suite.rstrip(".")))


class _Results(LineReader):
    """The text as it comes, so that a crash names its case; the JSON at the end says what the text left out."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._kept = 0
        self._json: list[str] = []
        self._seen: set[str] = set()

    def line(self, stream: str, line: str) -> Iterable[Event]:
        if stream == "results":
            self._json.append(line)
            return
        run, end = _RUN.search(line), _END.search(line)
        if run:
            self._lines, self._kept = [], 0
            yield Started(run[1])
            return
        if end is None:
            self._keep(line)
            return
        self._keep(line[: end.start()])
        self._seen.add(end[2])
        outcome = _OUTCOMES[end[1].strip()]
        text = "\n".join(self._lines).strip("\n")
        failed = outcome == "failed"
        yield Ended(
            end[2],
            outcome,
            int(end[3]) / 1000,
            _first_words(self._lines) if outcome != "passed" else "",
            text if failed else "",
            [("Captured output", text)] if text and not failed else (),
        )
        self._lines, self._kept = [], 0

    def said(self) -> Sequence[tuple[str, str]]:
        text = "\n".join(self._lines).strip("\n")
        return [("Captured output before the end", text)] if text else ()

    def finish(self, code: int) -> Iterable[Event]:
        try:
            report = json.loads("\n".join(self._json) or "{}")
        except ValueError:
            return
        for suite in report.get("testsuites") or ():
            for test in suite.get("testsuite") or ():
                identity = f"{suite.get('name')}.{test.get('name')}"
                if test.get("status") == "RUN" and identity not in self._seen:
                    yield _from_json(identity, test)

    def _keep(self, line: str) -> None:
        if line and self._kept < _KEPT:
            self._lines.append(line)
            self._kept += len(line)


def _first_words(lines: Sequence[str]) -> str:
    """Of a failure where it is and what follows; of a skip its reason."""
    for index, line in enumerate(lines):
        if _FAILURE.match(line):
            return "; ".join(part.strip() for part in lines[index : index + 2])
        if line.endswith(": Skipped"):
            return next((part.strip() for part in lines[index + 1 :] if part.strip()), "")
    return next((line for line in lines if line.strip()), "")


def _from_json(identity: str, test: dict[str, object]) -> Ended:
    failures = test.get("failures")
    texts = [str(one.get("failure", "")) for one in failures] if isinstance(failures, list) else []
    outcome = "failed" if texts else "skipped" if test.get("result") == "SKIPPED" else "passed"
    try:
        seconds = float(str(test.get("time", "0s")).removesuffix("s"))
    except ValueError:
        seconds = 0.0
    return Ended(identity, outcome, seconds, texts[0].partition("\n")[0] if texts else "", "\n".join(texts))
