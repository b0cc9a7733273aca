"""Where slots leave what their reporters would have told: a file that all slots of a zygote append to.

One line a passed case (its index and seconds), the whole report of everything else (the first of a case with its
index), each warning, and at the end of a slot what its plugins hand to the one session. Lines are written by single
appending writes, so that a crash loses nothing and slots do not mix theirs.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any, List

from .reports import is_subtest

MAXIMUM_BYTES = 32 * 1024 * 1024
"""What one slot writes at most: the zygote's summary then lacks the rest; results do not pass through here."""
_LARGEST_REPORT = 1024 * 1024
_OWN_PACKAGES = ("_pytest", "_crossfleet_inside")


class Spool:
    """Plugin of a slot: takes down warnings, and the reports of the case that is running."""

    def __init__(self, path: str, config: Any) -> None:
        self._config = config
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._owner = os.getpid()
        self._left = MAXIMUM_BYTES
        self._whole = somebody_listens(config)

    def take(self, case: int, reports: List[Any]) -> None:
        """Write what the reports of one case say. Never raises: it is for people only."""
        try:
            if not self._whole and all(plain(report) for report in reports):
                calls = [report.duration for report in reports if report.when == "call"]
                if calls:
                    self._write(b"P%d %.6f\n" % (case, calls[-1]))
                return
            kept = reports if self._whole else [r for r in reports if r.when == "call" or not plain(r)]
            lines = [self._serialised(report) + b"\n" for report in kept]
            if lines:
                self._write(b"R%d " % case + b"C".join(lines))
        except Exception:  # a plugin's report that cannot be carried; the result has gone out already
            pass

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """Keep a warning for the summary at the end; those from before the fork are repeated at registration."""
        if when != "runtest":
            return
        category = warning_message.category
        fields = {
            "category": [category.__module__, category.__qualname__],
            "message": str(warning_message.message),
            "filename": str(warning_message.filename),
            "lineno": warning_message.lineno,
            "when": when,
            "nodeid": nodeid,
            "location": location,
        }
        try:
            self._write(b"W" + json.dumps(fields, default=str).encode("ascii") + b"\n")
        except (OSError, TypeError, ValueError):
            pass

    def hand_over(self, kind: bytes, left: bytes) -> None:
        """Write what a plugin leaves at the end of this slot; ``kind`` is one letter that the replay knows."""
        self._write(kind + base64.b64encode(left) + b"\n")

    def _serialised(self, report: Any) -> bytes:
        hook = self._config.hook
        data = hook.pytest_report_to_serializable(config=self._config, report=report)
        line = json.dumps(data, default=str).encode("ascii")
        if len(line) > _LARGEST_REPORT:
            data["sections"] = []
            data["longrepr"] = "{}...".format(report.longreprtext[: _LARGEST_REPORT // 8])
            line = json.dumps(data, default=str).encode("ascii")
        return line

    def _write(self, lines: bytes) -> None:
        if os.getpid() == self._owner and len(lines) <= self._left:
            self._left -= len(lines)
            os.write(self._file, lines)


def plain(report: Any) -> bool:
    """Whether a report says no more than that its phase passed."""
    return report.outcome == "passed" and not hasattr(report, "wasxfail") and not is_subtest(report)


def somebody_listens(config: Any) -> bool:
    """Whether a plugin other than pytest's own wants every report."""
    for implementation in config.hook.pytest_runtest_logreport.get_hookimpls():
        plugin = implementation.plugin
        module = str(getattr(plugin, "__module__", None) or getattr(plugin, "__name__", ""))
        if module.split(".", maxsplit=1)[0] not in _OWN_PACKAGES:
            return True
    return False
