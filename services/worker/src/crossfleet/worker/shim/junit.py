"""Reads JUnit XML that a command left, with expat and no entities: such a file comes from code that is being tested."""

from __future__ import annotations

import glob
import stat
from pathlib import Path
from typing import Any
from xml.parsers import expat

MAXIMUM_BYTES = 64 * 1024 * 1024
MAXIMUM_CASES = 100_000
_TEXT = 256 * 1024
_EARLIER_TEXT = 16 * 1024
_OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}
# Of Surefire's schema: failures before a success, and before a last failure.
_EARLIER = {"flakyFailure": "failed", "flakyError": "error", "rerunFailure": "failed", "rerunError": "error"}
_MOST_EARLIER = 16
_STREAMS = {"system-out": "Captured stdout", "system-err": "Captured stderr"}

Case = dict[str, Any]
Marks = dict[Path, tuple[int, ...]]


class Unreadable(Exception):
    """The file is no JUnit report that may be read; the text says why."""


def marks(folder: str, patterns: list[str]) -> Marks:
    """Return the files below ``folder`` that match, each with what is not the same any more when it is written."""
    found: Marks = {}
    for pattern in patterns:
        for name in glob.iglob(pattern, root_dir=folder, recursive=True):
            path = Path(folder, name)
            try:
                status = path.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                found[path] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return found


def read_cases(path: Path) -> list[Case]:
    """Return the cases of one report: id (``classname::name``), outcome, seconds, message, details, sections.

    A repeated id gets ``#2`` and so on. Raises Unreadable: not XML, no test cases' root, a DOCTYPE, too large.
    """
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise Unreadable(f"{path}: {size} bytes, more than {MAXIMUM_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error}") from error
    reader = _Reader()
    try:
        reader.parse(data)
    except (expat.ExpatError, ValueError) as error:
        raise Unreadable(f"{path}: {error}") from error
    return reader.cases


class _Reader:
    def __init__(self) -> None:
        self.cases: list[Case] = []
        self._case: Case | None = None
        self._text: list[str] | None = None
        self._depth = 0
        self._earlier: Case | None = None
        self._seen: dict[str, int] = {}

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        parser.Parse(data, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and name not in ("testsuites", "testsuite"):
            raise ValueError(f"the root is <{name}>, not <testsuites> or <testsuite>")
        if name == "testcase":
            if len(self.cases) >= MAXIMUM_CASES:
                raise ValueError(f"more than {MAXIMUM_CASES} cases")
            self._case = self._begun(attributes)
        elif self._case is not None and name in _OUTCOMES:
            if self._case["outcome"] in ("passed", "skipped"):
                self._case["outcome"] = _OUTCOMES[name]
                self._case["message"] = attributes.get("message", "").split("\n", 1)[0][:1000]
            self._text = []
        elif self._case is not None and name in _EARLIER:
            self._begin_earlier(name, attributes)
        elif name in _STREAMS or name == "stackTrace":
            self._text = []

    def _begin_earlier(self, name: str, attributes: dict[str, str]) -> None:
        message = attributes.get("message", "").split("\n", 1)[0][:1000]
        self._earlier = {"outcome": _EARLIER[name], "message": message, "details": "", "sections": []}
        if self._case is not None and name.startswith("flaky") and self._case["outcome"] == "passed":
            self._case["outcome"], self._case["message"] = "flaky", message
        self._text = []

    def _begun(self, attributes: dict[str, str]) -> Case:
        names = [attributes.get("classname", ""), attributes.get("name", "")]
        identity = "::".join(part for part in names if part) or "unnamed"
        count = self._seen[identity] = self._seen.get(identity, 0) + 1
        try:
            seconds = float(attributes.get("time", "0").replace(",", ""))
        except ValueError:
            seconds = 0.0
        case: Case = {"id": identity if count == 1 else f"{identity}#{count}", "outcome": "passed"}
        case["seconds"] = seconds if 0 <= seconds < 1e9 else 0.0
        case["details"] = ""
        case["sections"] = []
        return case

    def _end(self, name: str) -> None:
        self._depth -= 1
        case = self._case
        text = "".join(self._text or ())[:_TEXT]
        earlier = self._earlier
        if case is not None and earlier is not None:
            self._end_within(name, text, case, earlier)
        elif name == "testcase" and case is not None:
            self.cases.append(case)
            self._case = None
        elif case is not None and name in _OUTCOMES and self._text is not None:
            case["details"] = "\n".join(part for part in (case["details"], text.strip()) if part)
            if not case.get("message"):
                case["message"] = text.strip().split("\n", 1)[0][:1000]
        elif case is not None and name in _STREAMS and text:
            case["sections"].append([_STREAMS[name], text])
        if name in _OUTCOMES or name in _STREAMS or name in _EARLIER or name == "stackTrace":
            self._text = None

    def _end_within(self, name: str, text: str, case: Case, earlier: Case) -> None:
        """The end of something in an earlier failure, or of that itself."""
        if name in _STREAMS and text:
            earlier["sections"].append([_STREAMS[name], text[:_EARLIER_TEXT]])
        elif name == "stackTrace" or (name in _EARLIER and not earlier["details"]):
            earlier["details"] = text.strip()[:_EARLIER_TEXT]
        if name in _EARLIER:
            self._earlier = None
            if len(case.setdefault("earlier", [])) < _MOST_EARLIER:
                case["earlier"].append(earlier)

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)


def _refuse(*_: object) -> None:
    raise ValueError("it declares a DOCTYPE or entities, which are not read")
