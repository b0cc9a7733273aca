"""Leadership, leases and the tokens that fence writes."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class NotLeader(CrossfleetError):
    """This coordinator is not the leader."""

    reason = "NOT_LEADER"
    code = StatusCode.FAILED_PRECONDITION


class NoLeader(CrossfleetError):
    """There is no leader at this moment."""

    reason = "NO_LEADER"
    code = StatusCode.UNAVAILABLE


class StaleEpoch(CrossfleetError):
    """The sender acts under the term of an earlier leader."""

    reason = "STALE_EPOCH"
    code = StatusCode.ABORTED


class LeaseLost(CrossfleetError):
    """The lease ended before it was renewed."""

    reason = "LEASE_LOST"
    code = StatusCode.ABORTED


class StaleAttempt(CrossfleetError):
    """The attempt's token was superseded."""

    reason = "STALE_ATTEMPT"
    code = StatusCode.ABORTED


class CommitUnsettled(CrossfleetError):
    """It is not known yet whether a commit took place."""

    reason = "COMMIT_UNSETTLED"
    code = StatusCode.UNAVAILABLE


class ElectionResetNeeded(CrossfleetError):
    """The election's cluster was replaced or restored to an earlier revision."""

    reason = "ELECTION_RESET_NEEDED"
    code = StatusCode.FAILED_PRECONDITION


class SessionReplaced(CrossfleetError):
    """A session was replaced by a later one of the same worker."""

    reason = "SESSION_REPLACED"
    code = StatusCode.ABORTED
