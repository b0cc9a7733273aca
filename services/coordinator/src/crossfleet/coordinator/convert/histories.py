"""Histories of cases: what is asked, what was tested, what is answered."""

from __future__ import annotations

import zlib

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1.run_pb2 import RunSpec
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.core.case_history import History, Tally
from crossfleet.coordinator.ledger.history_places import HistoryFilter, Key

_CHANGED = "-dirty"


def wanted(request: run_service.ListCaseHistoryRequest, max_runs: int) -> HistoryFilter:
    """Which runs and cases are looked at."""
    return HistoryFilter(
        project=request.project,
        suite=request.suite,
        runner=request.runner,
        pattern=request.pattern,
        target=request.target,
        worker_id=request.worker_id,
        since=request.since.seconds + request.since.nanos / 1e9,
        max_runs=max_runs,
    )


def content(spec: bytes, target: str) -> str:
    """Names what was tested: files and environment. Empty where the files are not known to be the same.

    A workspace in place is known by its commit alone, and only where nothing was changed since.
    """
    parsed = RunSpec.FromString(spec)
    workspace = parsed.workspace
    files = workspace.manifest_digest
    if not files and workspace.commit and not workspace.commit.endswith(_CHANGED):
        files = workspace.commit
    environment = next((one.environment for one in parsed.targets if one.name == target), None)
    if not files or environment is None:
        return ""
    return f"{files}/{zlib.crc32(environment.SerializeToString(deterministic=True)):x}"


def case(key: Key, history: History) -> run_service.CaseHistory:
    """The answer about one case."""
    message = run_service.CaseHistory(
        project=key.project,
        suite=key.suite,
        runner=key.runner,
        case_id=key.case_id,
        target=key.target,
        runs=_tally(history.runs),
        recent=history.recent,
        median_seconds=history.median_seconds,
        contradictions=history.contradictions,
    )
    for (worker_id, slot), tally in history.places.items():
        message.places.add(worker_id=worker_id, slot=slot, executions=_tally(tally))
    failure = history.last_failure
    if failure is not None:
        message.last_failure.run_id, message.last_failure.message = failure.run_id, failure.message
        set_time(message.last_failure.at, failure.at)
    return message


def _tally(tally: Tally) -> run_service.Tally:
    low, high = tally.interval
    return run_service.Tally(
        total=tally.total, passed=tally.passed, failed=tally.failed, flaky=tally.flaky, low=low, high=high
    )
