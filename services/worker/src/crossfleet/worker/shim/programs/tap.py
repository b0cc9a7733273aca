"""TAP, the Test Anything Protocol, versions 12 to 14: `ok 1 - it works`, plans, directives, diagnostics, bail out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crossfleet.worker.shim.programs.program import Distinct, Ended, Event
from crossfleet.worker.shim.programs.whole import WholeCommand, WholeReader

_POINT = re.compile(r"(not )?ok\b(?:\s+(\d+))?(?:\s+-)?\s*(.*?)(?:\s+#\s*(skip\S*|todo)\b:?\s*(.*))?$", re.IGNORECASE)
_PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?", re.IGNORECASE)


class _Results(WholeReader):
    """Points at the left margin are cases; what is indented (subtests, YAML) and comments belong to the point before."""

    def __init__(self, identity: str) -> None:
        super().__init__(identity)
        self._names = Distinct()
        self._pending: Ended | None = None
        self._details: list[str] = []
        self._plan = -1
        self._points = 0

    def case_line(self, line: str) -> Iterable[Event]:
        point = _POINT.match(line) if line.startswith(("ok", "not ok")) else None
        plan = _PLAN.match(line)
        if point:
            yield from self._settle()
            self._points += 1
            self._pending = self._point(point)
        elif plan:
            self._plan = int(plan[1])
        elif line.startswith("Bail out!"):
            self._faults.append(line)
        elif line.startswith((" ", "\t", "#")):
            self._details.append(line)

    def case_end(self) -> Iterable[Event]:
        yield from self._settle()
        if self._plan >= 0 and self._plan != self._points:
            self._faults.append(f"{self._plan} cases were planned, {self._points} came")
        elif self._plan < 0 and not self._points:
            self._faults.append("it printed no TAP")

    def _point(self, point: re.Match[str]) -> Ended:
        failed, number, name, directive, reason = point.groups()
        identity = self._names.name(name.strip() or f"test {number or self._points}")
        outcome = "failed" if failed else "passed"
        if directive and directive.lower() == "todo":
            outcome = "xfailed" if failed else "xpassed"
        elif directive:
            outcome = "skipped"
        return Ended(identity, outcome, 0.0, (reason or "").strip())

    def _settle(self) -> Iterable[Event]:
        """The point before is complete: what stood below it are its details. TAP's own todo that passes is no failure."""
        last, self._pending = self._pending, None
        details, self._details = self._details, []
        if last is None:
            return
        if last.outcome != "failed":
            outcome = "passed" if last.outcome == "xpassed" else last.outcome
            yield Ended(last.id, outcome, 0.0, last.message)
            return
        said = [line.strip().lstrip("# ") for line in details if line.strip() not in ("---", "...", "#")]
        yield Ended(last.id, "failed", 0.0, said[0] if said else "not ok", "\n".join(details))


class Tap(WholeCommand):
    """Any command that prints TAP."""

    reader = _Results
