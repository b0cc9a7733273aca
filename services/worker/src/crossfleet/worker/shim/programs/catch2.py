"""Catch2 binaries of version 2 and 3: listed as XML or by names, executed by names, read as XML while they run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.parsers import expat

from crossfleet.worker.shim.programs.program import (
    Batch,
    Command,
    Ended,
    Event,
    Listing,
    Output,
    Started,
    fitting,
    without_options,
)

_OURS = ("--reporter", "-r", "--out", "-o", "--durations", "-d", "--colour-mode", "--use-colour")
_LISTS = ("--list-tests", "-l", "--list-test-names-only")
_ALL_SKIPPED = 4
_SPECIAL = re.compile(r'([\\,\[\]"*~])')
_KEPT = 256 * 1024


class Catch2:
    """A binary and its own words: options, and which tests."""

    fine_codes = (0, _ALL_SKIPPED)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        self._argv = without_options(argv, valued=_OURS, flags=_LISTS)
        self._sections = _options(self._argv[1:])

    def listing(self, results: str) -> Command:
        """As version 3 understands it; version 2 answers in words for people."""
        return Command([*self._argv, "--list-tests", "--reporter", "xml"])

    def listed(self, output: Output) -> Command | Listing:
        """XML of version 3, else names, for which version 2 is asked once more."""
        text = output.stdout.lstrip()
        if text.startswith("<"):
            return Listing([(name, "") for name in _names_of(text)])
        if text.startswith(("Matching test cases", "All available test cases")):
            # Version 2 says how many there are by its exit code.
            return Command([*self._argv, "--list-test-names-only"])
        if output.stderr.strip() or (output.code == 1 and not text):
            return Listing(refused=f"{self._argv[0]} lists no cases: is it a Catch2 binary?\n{output.said}")
        return Listing([(name, "") for name in dict.fromkeys(line.strip() for line in text.splitlines()) if name])

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """Exactly these cases: names take the place of the words that say which."""
        chosen = fitting(ids)
        names = ",".join(_SPECIAL.sub(r"\\\1", name) for name in chosen)
        words = [self._argv[0], *self._sections, names, "--reporter", "xml", "--out", results, "--durations", "yes"]
        return Batch(Command(words, merged=True), chosen, _Results())


_VALUED = """-c --section -x --abortx -w --warn -n --name --order --rng-seed -D --min-duration -v --verbosity
--benchmark-samples --benchmark-resamples --benchmark-confidence-interval --benchmark-warmup-time
--wait-for-keypress""".split()
_FILES = ("-f", "--input-file")


def _options(words: Sequence[str]) -> list[str]:
    """The options among the words, less which tests: names, tags, files of names, and shards."""
    kept: list[str] = []
    rest = iter(without_options(words, valued=(*_FILES, "--shard-count", "--shard-index")))
    for word in rest:
        if word.startswith("-"):
            kept.append(word)
            if word in _VALUED:
                kept.extend(part for part in [next(rest, "")] if part)
    return kept


def _names_of(text: str) -> list[str]:
    """The names of a listing of version 3. Raises ValueError where it is no XML."""
    names: list[str] = []
    inside: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        inside.append(name)
        if inside[-2:] == ["TestCase", "Name"]:
            names.append("")

    def characters(data: str) -> None:
        if inside[-2:] == ["TestCase", "Name"]:
            names[-1] += data

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: inside.pop()
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise ValueError(f"the listing is no XML: {error}") from error
    return list(dict.fromkeys(name.strip() for name in names))


class _Results:
    """The XML report, element by element: a case begins with its tag, so that a crash names it."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._texts: list[str] = []
        self._inside: list[tuple[str, dict[str, str]]] = []
        self._case = ""
        self._findings: list[str] = []
        self._skips: list[str] = []
        self._fatal = ""
        self._overall: dict[str, str] = {}
        self._sections: list[tuple[str, str]] = []
        self._printed: list[str] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._finish
        self._parser.CharacterDataHandler = self._texts.append
        self._parser.EntityDeclHandler = _refuse

    def take(self, stream: str, text: str) -> Iterable[Event]:
        """Results are XML; anything else belongs to the case in flight."""
        if stream == "results":
            try:
                self._parser.Parse(text.encode("utf-8", "replace"), False)
            except expat.ExpatError as error:
                raise ValueError(f"the report is no XML: {error}") from error
        elif sum(map(len, self._printed)) < _KEPT:
            self._printed.append(text)
        events, self._events = self._events, []
        return events

    def end(self, code: int) -> Iterable[Event]:
        """The report is complete, or it is torn where the process died."""
        return ()

    def said(self) -> Sequence[tuple[str, str]]:
        found = "\n".join(self._findings)
        return [("Findings before the end", found), ("Captured output before the end", "".join(self._printed))]

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._inside.append((name, attributes))
        self._texts.clear()
        if name == "TestCase":
            self._case = attributes.get("name", "").strip()
            self._findings, self._skips, self._sections, self._printed = [], [], [], []
            self._fatal, self._overall = "", {}
            self._events.append(Started(self._case))

    def _finish(self, name: str) -> None:
        attributes = self._inside.pop()[1]
        text = "".join(self._texts).strip()
        if name in ("Original", "Expanded"):
            if self._inside:
                self._inside[-1][1][name] = text
        elif name == "Expression" and attributes.get("success") == "false":
            check = f"{attributes.get('type', 'CHECK')}( {attributes.get('Original', '')} )"
            self._note(attributes, f"{check} with expansion: {attributes.get('Expanded', '')}{_after(text)}")
        elif name in ("Failure", "Exception", "FatalErrorCondition"):
            self._note(attributes, f"{name}: {text}" if text else name)
            if name == "FatalErrorCondition":
                self._fatal = text
        elif name in ("Info", "Warning") and text:
            self._findings.append(f"  {name.lower()}: {text}")
        elif name == "Skip":
            self._skips.append(text)
        elif name in ("StdOut", "StdErr") and text:
            self._sections.append((f"Captured {name.lower()}", text))
        elif name == "OverallResult":
            self._overall = attributes
        elif name == "TestCase":
            self._conclude()
        self._texts.clear()

    def _note(self, attributes: dict[str, str], text: str) -> None:
        self._findings.append(f"{attributes.get('filename', '?')}:{attributes.get('line', '?')}: {text}")

    def _conclude(self) -> None:
        printed = "".join(self._printed)
        sections = [*self._sections, *([("Captured output", printed)] if printed.strip() else [])]
        skipped = bool(self._skips) and not any(not line.startswith("  ") for line in self._findings)
        outcome = "passed" if self._overall.get("success") == "true" else "failed"
        if self._fatal:
            outcome = "crashed"
        elif skipped:
            outcome = "skipped"
        try:
            seconds = float(self._overall.get("durationInSeconds", "0"))
        except ValueError:
            seconds = 0.0
        findings = [line for line in self._findings if not line.startswith("  ")]
        message = self._skips[0] if skipped else findings[0] if findings and outcome != "passed" else ""
        details = "\n".join(self._findings) if outcome in ("failed", "crashed") else ""
        self._events.append(Ended(self._case, outcome, seconds, message, details, sections))
        self._case = ""


def _after(text: str) -> str:
    return f"\n{text}" if text else ""


def _refuse(*_: object) -> None:
    raise ValueError("it declares entities, which are not read")
