"""What the exit status of `crossfleet` means."""

from __future__ import annotations

PASSED = 0
"""Every case passed, was skipped, or failed as expected."""
FAILED = 1
"""At least one case failed, or the run did not come to its end: its time limit, somebody else's cancel."""
USAGE = 2
"""The command line, a file that it names, or pytest's own arguments are wrong. Nothing was run."""
FLEET = 3
"""The fleet's own fault: it could not be started or reached, or infrastructure failed for good."""
NO_TESTS = 5
"""No test was collected; the same number as pytest's, so that what handles it there handles it here."""
INTERRUPTED = 130
"""Ctrl-C or SIGTERM."""


class UsageError(Exception):
    """Wrong usage: the message names what is wrong and what to do instead. Ends the command with status 2."""
