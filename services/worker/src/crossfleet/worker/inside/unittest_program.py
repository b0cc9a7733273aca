"""Entry: run by path with the suite's own interpreter, ``python unittest_program.py list|run RESULTS IDS [arguments]``.

Loads as ``python -m unittest`` does, then lists the cases or runs those that the JSON text IDS names, one line of
JSON to RESULTS for whatever begins or ends. Standard library only, Python 3.8 and up.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
import traceback
import unittest
import warnings
from typing import Any, Dict, Iterator, List, Set, Tuple

_STACKS_SIGNAL = int(signal.SIGRTMAX) - 2
"""As in slot.py, which this script, run by path, cannot import."""
_MAXIMUM_TEXT = 256 * 1024
_MODULE_SKIPPED = "unittest.loader.ModuleSkipped."
_FAILED = "unittest.loader._FailedTest."
_getpid, _exit, _write, _dumps, _clock = os.getpid, os._exit, os.write, json.dumps, time.perf_counter


class Pen:
    """Writes lines to the results path, from the process that made it alone."""

    def __init__(self, path: str) -> None:
        self._owner = _getpid()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def write(self, **fields: Any) -> None:
        """Write one object; a stray fork of a test ends here."""
        if _getpid() != self._owner:
            _exit(1)
        data = _dumps(fields).encode("ascii") + b"\n"
        while data:
            data = data[_write(self._descriptor, data) :]


class Tee:
    """A standard stream that also remembers what was written since the last look."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._kept: List[str] = []
        self._size = 0

    def write(self, text: str) -> int:
        """Write through, at once, so that a crash loses nothing."""
        if self._size < _MAXIMUM_TEXT:
            self._kept.append(text)
            self._size += len(text)
        written = self._stream.write(text)
        self._stream.flush()
        return int(written)

    def take(self) -> str:
        """Return what was written, and forget it."""
        text = "".join(self._kept)
        self._kept, self._size = [], 0
        return text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def leaves(suite: Any) -> Iterator[Any]:
    """Yield the tests of nested suites, in their order."""
    try:
        inner = iter(suite)
    except TypeError:
        yield suite
        return
    for test in inner:
        for leaf in leaves(test):
            yield leaf


def named(suite: Any) -> List[Tuple[str, Any]]:
    """Return each test with its id; the second test of one id gets ``#2``."""
    seen: Dict[str, int] = {}
    found = []
    for test in leaves(suite):
        name = test.id()
        for prefix in (_MODULE_SKIPPED, _FAILED):
            if name.startswith(prefix):
                name = name[len(prefix) :]
        seen[name] = seen.get(name, 0) + 1
        found.append((name if seen[name] == 1 else "{}#{}".format(name, seen[name]), test))
    return found


class Nest:
    """A suite and what is in it, so that it can be run with some of its tests, again and again.

    Suites of the project's own classes stay what they are.
    """

    def __init__(self, suite: Any) -> None:
        self._suite = suite
        self._nests = [(test, Nest(test) if hasattr(test, "_tests") else None) for test in suite._tests]

    def keep(self, chosen: Set[int]) -> bool:
        """Leave the tests with these identities in it. Returns whether any are."""
        self._suite._tests = [
            test for test, nest in self._nests if (nest.keep(chosen) if nest is not None else id(test) in chosen)
        ]
        return bool(self._suite._tests)


class Lister:
    """In the place of a runner: writes the cases down, and what could not be loaded."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    def run(self, suite: Any) -> unittest.TestResult:
        """List instead of running."""
        for name, test in named(suite):
            error = getattr(test, "_exception", None)
            if test.id().startswith(_FAILED) and error is not None:
                text = str(error).strip()
                self._pen.write(
                    error=name, message=text.splitlines()[-1] if text else "it cannot be loaded", details=text
                )
            else:
                self._pen.write(case=name, group=getattr(type(test), "__module__", ""))
        return unittest.TestResult()


class Result(unittest.TestResult):
    """Writes each case down as it ends."""

    def __init__(self, pen: Pen, names: Dict[int, str], streams: List[Tee]) -> None:
        super().__init__()
        self._pen = pen
        self._names = names
        self._streams = streams
        self._outcome, self._messages, self._details = "passed", [], []  # type: str, List[str], List[str]
        self._began = 0.0

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._outcome, self._messages, self._details = "passed", [], []
        for stream in self._streams:
            stream.take()
        self._pen.write(start=self._names.get(id(test), test.id()))
        self._began = _clock()

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self._end(self._names.get(id(test), test.id()), _clock() - self._began)

    def addError(self, test: Any, err: Any) -> None:
        self._take("error", test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        self._take("failed", test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            self._take("failed" if failed else "error", test, err, subtest._subDescription())

    def addSkip(self, test: Any, reason: str) -> None:
        if not hasattr(test, "_testMethodName") and not hasattr(test, "test_case"):
            self._fixture(test, "skipped", str(reason), "")
        elif not hasattr(test, "test_case") and self._outcome == "passed":  # a skipped subtest skips nothing else
            self._outcome = "skipped"
            self._messages.append(str(reason))

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._outcome = "xfailed"
        self._messages.append(_last_line(err))

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._outcome = "xpassed"

    def _take(self, outcome: str, test: Any, err: Any, what: str = "") -> None:
        details = "".join(traceback.format_exception(*err))
        try:
            details = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]  # without unittest's own frames
        except Exception:
            pass
        if type(test).__name__ == "_ErrorHolder":
            self._fixture(test, outcome, _last_line(err), details)
            return
        if self._outcome != "error":
            self._outcome = outcome
        self._messages.append("{} {}".format(what, _last_line(err)).strip())
        self._details.append("{}\n{}".format(what, details).strip())

    def _fixture(self, holder: Any, outcome: str, message: str, details: str) -> None:
        """``setUpClass (module.Class)`` and its like: a set-up speaks for all of its cases, a tear-down for itself."""
        kind, _, owner = holder.id().partition(" (")
        owner = owner.rstrip(")")
        self._messages, self._details = ["{}: {}".format(kind, message)], [details]
        self._outcome = outcome
        if not kind.startswith("setUp"):
            self._end("{} ({})".format(owner, kind), 0.0)
            return
        for name in self._names.values():
            if name.startswith(owner + "."):
                self._end(name, 0.0)

    def _end(self, name: str, seconds: float) -> None:
        texts = [(title, stream.take()) for title, stream in zip(("stdout", "stderr"), self._streams)]
        self._pen.write(
            end=name,
            outcome=self._outcome,
            seconds=round(seconds, 6),
            message=self._messages[0] if self._messages else "",
            details="\n".join(self._details)[-_MAXIMUM_TEXT:],
            sections=[("Captured " + title, text) for title, text in texts if text],
        )


class Runner:
    """In the place of unittest's text runner: runs the chosen cases, then those that are asked for on standard input."""

    def __init__(self, pen: Pen, chosen: List[str], streams: List[Tee]) -> None:
        self._pen = pen
        self._chosen = chosen
        self._streams = streams

    def run(self, suite: Any) -> unittest.TestResult:
        """Run them in unittest's own order, with its fixtures of classes and modules."""
        tests = dict(named(suite))
        nest = Nest(suite)
        if not sys.warnoptions:
            warnings.simplefilter("default")
        # Standard input is ours: a test that reads finds it empty.
        orders = os.fdopen(os.dup(0), "rb", buffering=0)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        more = os.environ.pop("CROSSFLEET_MORE_FILE", "")
        result = self._run_chosen(suite, nest, tests)
        while orders.readline():
            with open(more, encoding="utf-8") as file:
                self._chosen = json.load(file)
            result = self._run_chosen(suite, nest, tests)
        return result

    def _run_chosen(self, suite: Any, nest: Nest, tests: Dict[str, Any]) -> unittest.TestResult:
        names = {id(tests[name]): name for name in self._chosen if name in tests}
        nest.keep(set(names))
        result = Result(self._pen, names, self._streams)
        result.startTestRun()
        suite(result)
        result.stopTestRun()
        self._pen.write(waiting=True)
        return result


def _last_line(err: Any) -> str:
    return "".join(traceback.format_exception_only(err[0], err[1])).strip().split("\n")[0]


def main(mode: str, path: str, ids: str, arguments: List[str]) -> int:
    """Be ``python -m unittest`` with the arguments. Returns the exit status."""
    sys.path[0] = os.getcwd()
    pen = Pen(path)
    streams = [Tee(sys.stdout), Tee(sys.stderr)]
    sys.stdout, sys.stderr = streams
    fault = os.environ.get("CROSSFLEET_FAULT_FILE")
    if fault:
        file = os.open(fault, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        faulthandler.enable(file)
        faulthandler.register(_STACKS_SIGNAL, file, all_threads=True, chain=False)
    runner = Lister(pen) if mode == "list" else Runner(pen, json.loads(ids), streams)  # type: Any
    sys.argv[:] = ["python -m unittest"] + arguments
    unittest.main(module=None, argv=sys.argv, testRunner=runner, exit=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
