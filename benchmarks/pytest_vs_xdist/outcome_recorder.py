"""A pytest plugin: writes (id, outcome) of every case to the file that OUTCOME_FILE names. Standard library only.

Outcomes are drawn from the reports as pytest's own summary counts them.
"""

import json
import os

_found = {}  # type: dict[str, str]


def pytest_runtest_logreport(report):
    """Keeps the worst of what the phases of a case say."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    outcome = _outcome(report)
    if outcome is not None and (report.nodeid not in _found or outcome in ("failed", "error")):
        _found[report.nodeid] = outcome


def pytest_collectreport(report):
    """A file that skips itself is one skipped case, as in pytest's summary. xdist hands these on from its workers."""
    if report.skipped and "PYTEST_XDIST_WORKER" not in os.environ:
        _found[report.nodeid] = "skipped"


def pytest_sessionfinish():
    """Writes them, in the controller only."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with open(os.environ["OUTCOME_FILE"], "w", encoding="utf-8") as file:
            json.dump(_found, file)


def _outcome(report):
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed" if report.passed else "failed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if report.skipped:
        return "skipped"
    return "passed" if report.when == "call" else None
