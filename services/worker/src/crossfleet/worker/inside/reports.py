"""Draws one result from the reports that pytest makes for one case."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List

MAXIMUM_DETAILS = 256 * 1024
"""Characters of a failure's text; a longer one loses its middle."""

MAXIMUM_EARLIER = 16
MAXIMUM_EARLIER_TEXT = 16 * 1024
"""Failures that are told of a case which a plugin ran again, and characters of each of their texts."""

MAXIMUM_PROPERTIES = 64
MAXIMUM_PROPERTY = 1024
"""Characters of a property's name or value."""

_SUBTEST_REPORTS = ("SubtestReport", "SubTestReport")
_PHASES = ("setup", "call", "teardown")


def shortened(text: str, limit: int) -> str:
    """Return ``text``, its middle replaced by a mark when it is longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    half = max(limit // 2, 1)
    cut = len(text) - 2 * half
    return "{}\n[crossfleet: {} characters cut here]\n{}".format(text[:half], cut, text[-half:])


class CaseReports:
    """Collects the reports of one case as they are logged, and sums them up.

    A failed teardown after a call that passed is an error; after one that failed the case stays failed. A failed
    subtest fails its case. A case that a plugin ran again after failures, until it did not fail, is flaky.
    """

    def __init__(self) -> None:
        self.by_phase: Dict[str, Any] = {}
        self.subtests: List[Any] = []
        self._failures: List[Any] = []
        self._repeated = False

    def add(self, report: Any) -> None:
        """Take in one report as it was logged."""
        if is_subtest(report):
            self.subtests.append(report)
        elif report.outcome == "rerun":
            self.saw_failure(report)
            self._begin_again()
        else:
            if report.when == "setup" and self.by_phase:
                # The whole protocol starts again: only the last one speaks.
                self._begin_again()
            # Plugins that run a case in a process of its own report its death under a phase of their own making.
            self.by_phase[report.when if report.when in _PHASES else "call"] = report

    def saw_failure(self, report: Any) -> None:
        """Take in a report of a failure, which a plugin that repeats the case may keep to itself."""
        known = any(report is each for each in self._failures)
        if report.when in ("setup", "call") and not is_subtest(report) and not known:
            self._failures.append(report)

    def _begin_again(self) -> None:
        self._repeated = True
        self.by_phase.clear()
        self.subtests = []

    def _earlier(self) -> List[Any]:
        """Failures after which the whole case was repeated: all but those of the last time."""
        last = [id(report) for report in self.by_phase.values()]
        return [report for report in self._failures if id(report) not in last] if self._repeated else []

    def failed(self) -> bool:
        """True when a report so far is a failure."""
        return any(report.outcome == "failed" for report in self.by_phase.values())

    def result(self, section_limit: int) -> Dict[str, Any]:
        """Return the fields of a result: outcome, durations, and whatever else is not empty."""
        phases = self.by_phase
        fields: Dict[str, Any] = {
            "outcome": "passed",
            "durations": [round(phases[when].duration, 6) if when in phases else 0.0 for when in _PHASES],
        }
        properties: List[List[Any]] = []
        if not phases:
            fields["outcome"] = "skipped"
            fields["message"] = "no phase of this case was reported: a plugin of the suite took it over"
            return fields
        self._judge(fields, properties)
        last: Any = phases.get("teardown") or phases.get("call") or phases.get("setup")
        if last.sections:
            fields["sections"] = [[name, shortened(text, section_limit)] for name, text in last.sections if text]
        earlier = self._earlier()
        if earlier:
            kept = earlier[: MAXIMUM_EARLIER - 1] + earlier[MAXIMUM_EARLIER - 1 :][-1:]
            fields["earlier"] = [_earlier(report, min(section_limit, MAXIMUM_EARLIER_TEXT)) for report in kept]
            if fields["outcome"] not in ("failed", "error"):
                fields["outcome"] = "flaky"
                fields.setdefault("message", fields["earlier"][-1]["message"])
        # More would not fit into a line to the shim, and nobody reads it.
        room = MAXIMUM_PROPERTIES - len(properties)
        properties.extend([_plain(str(key)), _plain(value)] for key, value in last.user_properties[:room])
        if properties:
            fields["properties"] = properties
        return fields

    def _judge(self, fields: Dict[str, Any], properties: List[List[Any]]) -> None:
        setup, call, teardown = (self.by_phase.get(when) for when in _PHASES)
        decisive: Any = call or setup or teardown
        if setup is not None and setup.outcome != "passed":
            decisive = setup
        fields["outcome"] = _outcome(decisive)
        shown = [decisive]
        failed_subtests = [report for report in self.subtests if report.outcome == "failed"]
        if failed_subtests:
            if fields["outcome"] not in ("failed", "error"):
                fields["outcome"] = "failed"
                shown = []
            shown.extend(failed_subtests)
        if teardown is not None and teardown is not decisive and teardown.outcome == "failed":
            if fields["outcome"] not in ("failed", "error"):
                properties.append(["call_outcome", fields["outcome"]])
                fields["outcome"] = "error"
                shown = []
            else:
                properties.append(["teardown_outcome", "error"])
            shown.append(teardown)
        message = next((text for text in map(_message, shown) if text), "")
        if message:
            fields["message"] = message
        details = "\n".join(_told(shown))
        if details:
            fields["details"] = shortened(details, MAXIMUM_DETAILS)


def _earlier(report: Any, section_limit: int) -> Dict[str, Any]:
    """What a failure showed after which the case was run again."""
    return {
        "outcome": "failed" if report.when == "call" else "error",
        "seconds": round(report.duration, 6),
        "message": _message(report, failed=True),
        "details": shortened(str(report.longreprtext), MAXIMUM_EARLIER_TEXT),
        "sections": [[name, shortened(text, section_limit)] for name, text in report.sections if text],
    }


def is_subtest(report: Any) -> bool:
    """Whether a report is of a subtest: pytest's own or the plugin's, whatever the version."""
    return type(report).__name__ in _SUBTEST_REPORTS


def _outcome(report: Any) -> str:
    expected = hasattr(report, "wasxfail")
    if report.outcome == "passed":
        return "xpassed" if expected else "passed"
    if report.outcome == "skipped":
        return "xfailed" if expected else "skipped"
    return "error" if report.when in ("setup", "teardown") else "failed"


def _message(report: Any, failed: bool = False) -> str:
    """One line: why it failed, was skipped, or was expected to fail."""
    text = ""
    longrepr = report.longrepr
    if hasattr(report, "wasxfail") and not failed:
        text = str(report.wasxfail)
    elif isinstance(longrepr, tuple) and len(longrepr) == 3:
        text = str(longrepr[2])
        if text.startswith("Skipped: "):
            text = text[len("Skipped: ") :]
    elif longrepr is not None and report.outcome != "passed":
        crash = getattr(longrepr, "reprcrash", None)
        text = getattr(crash, "message", None) or str(longrepr)
    if is_subtest(report):
        text = "{} {}".format(_subtest_name(report), text)
    line = text.strip().split("\n", 1)[0]
    return line[:1000]


def _details(report: Any) -> str:
    if report.outcome == "passed" or report.longrepr is None:
        return ""
    if isinstance(report.longrepr, tuple):
        return "{}:{}: {}".format(*report.longrepr)
    return str(report.longreprtext)


def _told(shown: List[Any]) -> Iterator[str]:
    """The texts of several reports; those after the first, and subtests, below titles of their own, as pytest has it."""
    for number, report in enumerate(shown):
        text = _details(report)
        if not text:
            continue
        title = str(getattr(report, "head_line", None) or report.nodeid)
        if is_subtest(report):
            name = _subtest_name(report)
            if name not in title:  # pytest's own subtests have it there, the plugin's have not
                title = "{} {}".format(title, name)
            yield " {} ".format(title).center(80, "_")
        elif number:
            yield " ERROR at {} of {} ".format(report.when, title).center(80, "_")
        yield text


def _subtest_name(report: Any) -> str:
    describe = getattr(report, "_sub_test_description", None) or getattr(report, "sub_test_description", None)
    return str(describe()) if describe else "subtest"


def _plain(value: Any) -> Any:
    """A user property's value as JSON can carry it."""
    if isinstance(value, (int, float, bool)) or value is None:
        return value
    return shortened(str(value), MAXIMUM_PROPERTY)
