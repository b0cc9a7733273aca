"""The exit status of a finished run."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli import exits


def status_of(run: run_pb2.Run, *, interrupted: bool) -> int:
    """0, 1, 2, 3, 5 or 130, see `exits`. A session that fails by itself counts as pytest counts it.

    A run without any case to execute is pytest's own 5; one whose arguments pytest refused is 2.
    """
    if interrupted:
        return exits.INTERRUPTED
    if run.verdict != run_pb2.RUN_VERDICT_CANCELLED:
        if nothing_to_execute(run):
            return exits.NO_TESTS
        if run.counts.total == 0 and any(target.ending == result_pb2.SUITE_ENDING_USAGE for target in run.targets):
            return exits.USAGE
    if run.verdict == run_pb2.RUN_VERDICT_PASSED:
        return exits.FAILED if sessions_failed(run) else exits.PASSED
    return exits.FLEET if run.verdict == run_pb2.RUN_VERDICT_INFRASTRUCTURE else exits.FAILED


def sessions_failed(run: run_pb2.Run) -> list[str]:
    """Targets whose pytest ended its session as failed although no case had failed, as plugins may have it."""
    return [target.name for target in run.targets if target.ending == result_pb2.SUITE_ENDING_SESSION_FAILED]


def nothing_to_execute(run: run_pb2.Run) -> bool:
    """Whether no target had a case to execute; files may have skipped themselves."""
    return bool(run.targets) and all(target.ending == result_pb2.SUITE_ENDING_NO_CASES for target in run.targets)
