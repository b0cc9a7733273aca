"""The exit status of a finished run."""

from __future__ import annotations

import re

from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli import exits

_NO_TESTS = re.compile(r"no tests|\bstatus 5\b|collected 0 items", re.IGNORECASE)
_WRONG_ARGUMENTS = re.compile(r"\bstatus 4\b|usage error", re.IGNORECASE)


def status_of(run: run_pb2.Run, *, interrupted: bool) -> int:
    """0, 1, 2, 3, 5 or 130, see `exits`.

    A run without any case is pytest's own 5 (nothing collected) or, for arguments that pytest refuses, 2.
    """
    if interrupted:
        return exits.INTERRUPTED
    causes = [target.cause for target in run.targets]
    if run.verdict != run_pb2.RUN_VERDICT_CANCELLED and run.counts.total == 0:
        # What pytest's exit status was stands in the first line; the rest is its output.
        causes = [cause.partition("\n")[0] for cause in causes]
        if any(_WRONG_ARGUMENTS.search(cause) for cause in causes):
            return exits.USAGE
        if all(not cause or _NO_TESTS.search(cause) for cause in causes):
            return exits.NO_TESTS
    if run.verdict == run_pb2.RUN_VERDICT_PASSED:
        return exits.PASSED
    return exits.FLEET if run.verdict == run_pb2.RUN_VERDICT_INFRASTRUCTURE else exits.FAILED
