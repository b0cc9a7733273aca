"""Tells the zygote's pytest at its end what its slots have seen, so that summaries, statuses and caches are true."""

from __future__ import annotations

import base64
import json
import os
import sys
import warnings
from typing import Any, Callable, Dict, List, Sequence, Set, Tuple

from . import benchmarks, nodes
from .reports import is_subtest


class Replay:
    """Feeds a spool and the deaths of slots to the plugins of a session. ``ran`` are the ids of cases that it heard of."""

    def __init__(self, session: Any, items: Sequence[Any]) -> None:
        self._session = session
        self._config = session.config
        self._items = items
        self._with_subtests: Set[str] = set()
        self.ran: Set[str] = set()
        self._left: Dict[int, int] = {}
        self._ended: Set[int] = set()
        self._superseded = False
        self.reruns = 0
        self._reporter = self._config.pluginmanager.getplugin("terminalreporter")
        self._stats: Dict[str, List[Any]] = getattr(self._reporter, "stats", {})
        last_failed = self._config.pluginmanager.getplugin("lfplugin")
        # Passed cases are heard of only where a failure before is to be forgotten.
        stepwise = self._config.pluginmanager.getplugin("stepwiseplugin")
        self._hear_passed = bool(getattr(last_failed, "lastfailed", None)) or stepwise is not None
        # The reporter's counts are kept, without a letter for each: what is printed comes after the run.
        hook = self._config.pluginmanager.subset_hook_caller
        self._heard = hook("pytest_runtest_logreport", [self._reporter] if self._reporter else [])

    def read(self, path: str) -> None:
        """Replay the spool at ``path``; there is none when no case has ended. A torn last line is passed over."""
        kinds: Dict[bytes, Callable[[bytes], None]] = {
            b"P": self._passed,
            b"R": self._reported,
            b"C": self._continued,
            b"W": self._warned,
            b"N": lambda line: nodes.take_leave(self._config, base64.b64decode(line)),
            b"B": lambda line: benchmarks.add(self._config, base64.b64decode(line)),
        }
        if not os.path.exists(path):
            return
        self._count_executions(path)
        with open(path, "rb") as file:
            for line in file:
                try:
                    kinds[line[:1]](line[1:])
                except Exception as error:  # of a plugin, or a line that was torn
                    sys.stderr.write("crossfleet: a report was passed over: {}\n".format(error))

    def died(self, deaths: Sequence[Tuple[int, str]]) -> None:
        """Report cases that took their process down, by index, with what happened."""
        from _pytest.reports import TestReport

        for index, message in deaths:
            item = self._items[index]
            self._superseded = index in self._ended
            self._hear(TestReport(item.nodeid, item.location, {}, "failed", message, "call"))

    def _count_executions(self, path: str) -> None:
        """Of a case that was run again, only the last execution is told."""
        with open(path, "rb") as file:
            for line in file:
                index = line[1:].split(b" ", 1)[0]
                if line[:1] in (b"P", b"R") and index.isdigit():
                    self._left[int(index)] = self._left.get(int(index), 0) + 1

    def _begin(self, index: int) -> None:
        self._left[index] -= 1
        self._superseded = self._left[index] > 0
        if not self._superseded:
            self._ended.add(index)

    def _passed(self, line: bytes) -> None:
        from _pytest.reports import TestReport

        index, seconds = line.split()
        self._begin(int(index))
        item = self._items[int(index)]
        self.ran.add(item.nodeid)
        report = TestReport(item.nodeid, item.location, {}, "passed", None, "call", duration=float(seconds))
        self._stats.setdefault("passed", []).append(report)
        if self._hear_passed:
            self._heard(report=report)

    def _reported(self, line: bytes) -> None:
        index, _, rest = line.partition(b" ")
        self._begin(int(index))
        self._continued(rest)

    def _continued(self, line: bytes) -> None:
        data = json.loads(line.decode("ascii"))
        if isinstance(data.get("location"), list):
            data["location"] = tuple(data["location"])
        longrepr = data.get("longrepr")
        if isinstance(longrepr, list):
            data["longrepr"] = tuple(longrepr)
        data["sections"] = [tuple(section) for section in data.get("sections") or ()]
        data["user_properties"] = [tuple(each) for each in data.get("user_properties") or ()]
        self._hear(self._config.hook.pytest_report_from_serializable(config=self._config, data=data))

    def _hear(self, report: Any) -> None:
        self.ran.add(report.nodeid)
        if self._superseded:
            if report.outcome == "failed":
                report.outcome = "rerun"
                self.reruns += 1
                self._stats.setdefault("rerun", []).append(report)
            return
        if is_subtest(report) and report.outcome == "failed":
            self._count_subtest(report)
        self._heard(report=report)
        status = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        self._stats.setdefault(status[0], []).append(report)

    def _count_subtest(self, report: Any) -> None:
        """Pytest from 9.0 counts a passed case with failed subtests as failed, by a count of its own."""
        if not self._with_subtests:
            self._with_subtests = {i.nodeid for i in self._items if "subtests" in getattr(i, "fixturenames", ())}
        if report.nodeid not in self._with_subtests:
            return  # unittest's own subtests do not count so
        try:
            from _pytest.subtests import failed_subtests_key

            # From 9.2 by an id that is more than its text.
            self._config.stash[failed_subtests_key][getattr(report, "id", report.nodeid)] += 1
        except (ImportError, AttributeError, KeyError, TypeError):
            pass

    def _warned(self, line: bytes) -> None:
        fields = json.loads(line.decode("ascii"))
        module, name = fields["category"]
        category = getattr(sys.modules.get(module), name, None) or type(str(name), (UserWarning,), {})
        message = warnings.WarningMessage(fields["message"], category, fields["filename"], fields["lineno"])
        location = tuple(fields["location"]) if fields["location"] else None
        told = {"warning_message": message, "when": fields["when"], "nodeid": fields["nodeid"], "location": location}
        self._config.hook.pytest_warning_recorded.call_historic(kwargs=told)
