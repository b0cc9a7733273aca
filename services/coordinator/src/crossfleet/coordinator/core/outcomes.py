"""Outcomes of cases and causes of ended attempts, with what follows from each."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """What an execution of a case showed; numbers equal crossfleet.api.types.v1.Outcome."""

    PENDING = 0
    PASSED = 1
    FAILED = 2
    ERROR = 3
    SKIPPED = 4
    XFAILED = 5
    XPASSED = 6
    CRASHED = 7
    TIMED_OUT = 8
    CANCELLED = 9
    PREEMPTED = 10
    NOT_RUN = 11
    FLAKY = 12


class Cause(IntEnum):
    """Why an attempt or allocation ended; numbers equal crossfleet.api.types.v1.Cause."""

    UNSPECIFIED = 0
    DONE = 1
    CRASHED = 2
    CANCELLED = 3
    PREEMPTED = 4
    HOST_LOST = 5
    OUT_OF_MEMORY = 6
    DISK_FULL = 7
    DEVICE_LOST = 8
    ENVIRONMENT = 9
    NETWORK = 10
    COLLECTION = 11
    NOT_QUIET = 140


class Ending(IntEnum):
    """How a suite ended as a whole; numbers equal crossfleet.api.types.v1.SuiteEnding."""

    UNSPECIFIED = 0
    NO_CASES = 1
    USAGE = 2
    COLLECTION_ERRORS = 3
    RUNNER_ENDED = 4
    SESSION_FAILED = 5


class RerunPlacement(IntEnum):
    """Where a case is preferably run again; numbers equal crossfleet.api.types.v1.RerunPlacement."""

    SAME = 1
    SLOT = 2
    HOST = 3


class RunState(IntEnum):
    """Where a run stands; numbers equal crossfleet.api.types.v1.RunState."""

    QUEUED = 1
    RUNNING = 2
    STOPPING = 3
    FINISHED = 4


class RunVerdict(IntEnum):
    """The conclusion of a run; numbers equal crossfleet.api.types.v1.RunVerdict."""

    NONE = 0
    PASSED = 1
    FAILED = 2
    INFRASTRUCTURE = 3
    CANCELLED = 4


class GroupState(IntEnum):
    """Where a task group stands; numbers equal crossfleet.api.types.v1.TargetState."""

    WAITING = 1
    COLLECTING = 2
    RUNNING = 3
    FINISHED = 4
    FAILED = 5


class WorkerState(IntEnum):
    """Whether a worker may get work; numbers equal crossfleet.api.types.v1.WorkerState."""

    READY = 1
    SUSPECT = 2
    DRAINING = 3
    LOST = 4
    QUARANTINED = 5


BAD = frozenset({Outcome.FAILED, Outcome.ERROR, Outcome.CRASHED, Outcome.TIMED_OUT})
"""Outcomes that make a run fail and count against its failure limit."""
