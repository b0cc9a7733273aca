"""`go test`: the cases are packages, found by `go list`; tests and subtests show in the JSON stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

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
)

_SWITCHES = (
    "a asan benchmem c cover failfast fullpath i json linkshared modcacherw msan n race short trimpath v work x artifacts"
).split()
_BUILD = (
    "asan buildvcs cover covermode coverpkg gcflags ldflags mod modfile msan overlay pgo race tags trimpath".split()
)
_APART = "c fuzz exec C o outputdir coverprofile cpuprofile memprofile blockprofile mutexprofile trace".split()
_TESTED = "{{if or .TestGoFiles .XTestGoFiles .Error}}{{.ImportPath}}{{end}}"
_KEPT = 256 * 1024
_NOISE = ("=== RUN", "=== PAUSE", "=== CONT", "=== NAME", "--- ")
_VERDICT_LINES = ("FAIL\n", "PASS\n", "FAIL\t", "ok  \t")
_VERDICTS = {"pass": "passed", "fail": "failed", "skip": "skipped"}


class GoTest:
    """`go test [flags] [packages] [-args ...]`. Raises ValueError where there is nothing to distribute."""

    fine_codes = (0,)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        if list(argv[1:2]) != ["test"]:
            raise ValueError("the words are not those of `go test`: use --runner command")
        self._go = argv[0]
        self._flags, self._packages, self._rest = _sorted_out(argv[2:])
        for name, _ in self._flags:
            if name in _APART:
                raise ValueError(f"go test -{name} is not distributed: use --runner command")

    def listing(self, results: str) -> Command:
        """Packages that have tests, and those in which something is wrong."""
        build = [word for name, words in self._flags if name in _BUILD for word in words]
        return Command([self._go, "list", "-e", "-f", _TESTED, *build, *self._packages])

    def listed(self, output: Output) -> Listing:
        """One package a line."""
        if output.code:
            return Listing(errors=[Trouble("go list", output.stderr.strip().partition("\n")[0], output.said)])
        return Listing([(line.strip(), "") for line in dict.fromkeys(output.stdout.splitlines()) if line.strip()])

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """These packages, one after the other: the other slots have others."""
        chosen = fitting(ids)
        given = {name for name, _ in self._flags}
        flags = [word for name, words in self._flags if name not in ("json", "v") for word in words]
        one = [] if "p" in given else ["-p=1"]
        return Batch(
            Command([self._go, "test", "-json", *one, *flags, *chosen, *self._rest], merged=False),
            chosen,
            _Results(chosen),
        )


def _sorted_out(words: Sequence[str]) -> tuple[list[tuple[str, list[str]]], list[str], list[str]]:
    """Flags by name with their words, packages, and `-args` with what follows."""
    flags: list[tuple[str, list[str]]] = []
    packages: list[str] = []
    rest = list(words)
    while rest and rest[0] not in ("-args", "--args"):
        word = rest.pop(0)
        if not word.startswith("-"):
            packages.append(word)
            continue
        name, equals, _ = word.lstrip("-").partition("=")
        name = name.removeprefix("test.")
        value = [] if equals or name in _SWITCHES or not rest else [rest.pop(0)]
        flags.append((name, [word, *value]))
    return flags, packages, rest


class _Results(LineReader):
    """One JSON object a line. Tests of a package are named `package::Test/sub`."""

    def __init__(self, packages: Sequence[str]) -> None:
        super().__init__()
        self._packages = list(packages)
        self._output: dict[tuple[str, str], list[str]] = {}
        self._running: dict[str, dict[str, None]] = {}
        self._failed: dict[str, int] = {}
        self._builds: dict[str, list[str]] = {}

    def line(self, stream: str, line: str) -> Iterable[Event]:
        if stream != "stdout" or not line.startswith("{"):
            return ()  # go's own words, such as what it downloads: people see them live
        event = json.loads(line)
        action, package, test = event.get("Action"), event.get("Package", ""), event.get("Test", "")
        if action == "build-output":
            self._builds.setdefault(event.get("ImportPath", ""), []).append(event.get("Output", ""))
        elif action == "start":
            return [Started(package)]
        elif action == "run":
            self._running.setdefault(package, {})[test] = None
        elif action == "output":
            self._keep(package, test, event.get("Output", ""))
        elif action in _VERDICTS and test:
            return [self._test(package, test, _VERDICTS[action], event.get("Elapsed"))]
        elif action in _VERDICTS and package:
            return self._package(package, event)
        return ()

    def said(self) -> Sequence[tuple[str, str]]:
        running = [(package, test) for package, tests in self._running.items() for test in tests]
        return [(f"Captured output of {test}", self._text(package, test)) for package, test in running]

    def _keep(self, package: str, test: str, text: str) -> None:
        if text.lstrip().startswith(_NOISE) or (text.startswith(_VERDICT_LINES) and "[" not in text):
            return
        lines = self._output.setdefault((package, test), [])
        if sum(map(len, lines)) < _KEPT:
            lines.append(text)

    def _text(self, package: str, test: str) -> str:
        return "".join(self._output.get((package, test), ()))

    def _test(self, package: str, test: str, outcome: str, elapsed: float | None) -> Ended:
        self._running.get(package, {}).pop(test, None)
        text = self._text(package, test)
        self._output.pop((package, test), None)
        failed = outcome == "failed"
        self._failed[package] = self._failed.get(package, 0) + failed
        said = _last(text) if outcome == "skipped" else (_first(text) or "failed") if failed else ""
        return Ended(
            f"{package}::{test}",
            outcome,
            elapsed or 0.0,
            said,
            text.strip("\n") if failed else "",
            [("Captured output", text)] if text.strip() and not failed else (),
        )

    def _package(self, package: str, event: dict[str, Any]) -> list[Event]:
        """The package has ended. A test that never did took its process down, or was in it when it went."""
        events: list[Event] = []
        left = list(self._running.pop(package, {}))
        leaves = [test for test in left if not any(other.startswith(test + "/") for other in left)]
        for test in left:
            text = self._text(package, test) + self._text(package, "")
            only = leaves == [test]
            what = "its process ended before it did"
            outcome = "crashed" if only else "error"
            events.append(Ended(f"{package}::{test}", outcome, 0.0, what, f"{what}\n{text}".strip()))
        failed = self._failed.get(package, 0) + len(left)
        outcome = _VERDICTS[event["Action"]]
        text = "".join(self._builds.get(event.get("FailedBuild", ""), ())) + self._text(package, "")
        message = ""
        if outcome == "failed" and failed:
            message = f"{failed} test{'s' * (failed > 1)} failed"
            message += "; the process ended early: tests that are not named here were not executed" if left else ""
        elif outcome == "failed":
            built = event.get("FailedBuild") or "[build failed]" in text or "[setup failed]" in text
            outcome = "error" if built else "failed"
            message = _first(text)
        sections = [("Output of the package", text)] if outcome == "failed" else ()
        details = text if outcome == "error" else message
        return [*events, Ended(package, outcome, event.get("Elapsed") or 0.0, message, details, sections)]


def _first(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return lines[0] if lines else ""


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
