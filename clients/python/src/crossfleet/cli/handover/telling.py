"""Tells the plugins of a pytest session what a fleet reports, as if it had happened there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.handover.reports import (
    Gateway,
    SlotNode,
    case_reports,
    collect_report,
    location_of,
)


class Telling:
    """Calls the hooks of one session."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._hook = session.config.hook
        manager = session.config.pluginmanager
        self._reporter = manager.getplugin("terminalreporter")
        if self._reporter is not None:
            self._reporter.showfspath = False  # cases of several files come mixed, as from xdist
        # A line where a case begins would be one too many: it begins and ends for us at once.
        self._logstart = manager.subset_hook_caller(
            "pytest_runtest_logstart", [self._reporter] if self._reporter is not None else []
        )
        self._nodes: dict[tuple[str, int], SlotNode] = {}
        self.collection_errors = 0

    def line(self, text: str) -> None:
        """A line of its own for people."""
        if self._reporter is not None and self._session.config.option.verbose >= 0:
            self._reporter.ensure_newline()
            self._reporter.write_line(text)

    def collected(self, total: int, deselected: int, run_id: str) -> None:
        """So many cases are known, and so many left out."""
        self._session.testscollected = total
        if self._reporter is not None and deselected:
            # The hook for it wants the items themselves; the reporter counts them, plugins look for attributes in them.
            stand_ins = (SimpleNamespace(nodeid="") for _ in range(deselected))
            self._reporter.stats.setdefault("deselected", []).extend(stand_ins)
        found = f"collected {total + deselected} item{'s' * (total + deselected != 1)}"
        left_out = f" / {deselected} deselected / {total} selected" if deselected else ""
        self.line(f"{found}{left_out} / on a fleet: {run_id}\n")

    def case(self, case: result_pb2.CaseRecord, result: result_pb2.CaseResult) -> None:
        """A case has its verdict."""
        if not case.attempt_id and case.outcome in (result_pb2.OUTCOME_ERROR, result_pb2.OUTCOME_SKIPPED):
            self.collection_errors += case.outcome == result_pb2.OUTCOME_ERROR
            self._hook.pytest_collectreport(report=collect_report(case, result))
            return
        reports = case_reports(case, result, self._node(case))
        if not reports:
            return
        location = location_of(case.case_id)
        self._logstart(nodeid=case.case_id, location=location)
        for report in reports:
            self._hook.pytest_runtest_logreport(report=report)
        self._hook.pytest_runtest_logfinish(nodeid=case.case_id, location=location)

    def _node(self, case: result_pb2.CaseRecord) -> SlotNode:
        key = (case.worker_id, case.slot)
        if key not in self._nodes:
            self._nodes[key] = SlotNode(Gateway(f"{case.worker_id}/{case.slot}"))
        return self._nodes[key]
