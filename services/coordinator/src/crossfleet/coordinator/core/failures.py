"""What can fail, how it is recognised and what is done about it: one table that code and docs/failures.md share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crossfleet.coordinator.core.outcomes import Cause


class Charge(StrEnum):
    """Which of the cases that an attempt has left lose one of their tries."""

    NONE = "none"
    FIRST = "the case that was executing"
    ALL = "every case that it left"


class Strategy(StrEnum):
    """What is done about a failure."""

    VERDICT = "verdict"
    RERUN = "rerun"
    ELSEWHERE = "retry elsewhere"
    IN_PLACE = "retry in place"
    REBUILD = "rebuild the environment"
    QUARANTINE_HOST = "quarantine the host"
    QUARANTINE_DEVICE = "quarantine the device"
    SUSPECT_CASE = "suspect the case"
    TAINT = "taint the host"
    WAIT = "wait"
    REFUSE = "refuse"
    READ_ONLY = "degrade to reads"
    STEP_DOWN = "step down"


@dataclass(frozen=True, slots=True)
class FailureClass:
    """One row. Texts are for people; what follows them decides.

    `cause` is how an attempt or allocation says so; None for what ends neither. `retried`: what is left is tried again,
    within the run's `max_attempts`. `weight` is how much one incident speaks against its host, or, with `of_device`,
    against the device that it held. A case that such failures struck on `suspect_hosts` hosts is itself to blame (0: never).
    """

    name: str
    recognised: str
    done: str
    budget: str
    strategies: tuple[Strategy, ...]
    cause: Cause | None = None
    retried: bool = False
    charge: Charge = Charge.NONE
    weight: float = 0.0
    of_device: bool = False
    suspect_hosts: int = 0


_TRIES = "`max_attempts` tries of a case (3), as many allocations of a target without a result"

TABLE: tuple[FailureClass, ...] = (
    FailureClass(
        "test",
        "a case fails, errs or exceeds its time limit",
        "it is a verdict, unless reruns were asked for",
        "`--reruns`, or the case's own mark",
        (Strategy.VERDICT, Strategy.RERUN),
    ),
    FailureClass(
        "crash of a test",
        "the process of a slot ends by a signal or an exit that nobody asked for, or holds more memory than `--memory-limit`",
        "the case that was executing is `crashed`; a fresh process goes on with the next. Where no case can be named, the"
        " one in flight is tried again",
        _TRIES,
        (Strategy.VERDICT, Strategy.RERUN),
        Cause.CRASHED,
        charge=Charge.FIRST,
    ),
    FailureClass(
        "host lost",
        "nothing was heard of a worker for its lease, or it was started anew",
        "its cases go to another worker where there is one; late results are refused",
        _TRIES,
        (Strategy.ELSEWHERE, Strategy.QUARANTINE_HOST, Strategy.SUSPECT_CASE),
        Cause.HOST_LOST,
        retried=True,
        charge=Charge.ALL,
        weight=1.0,
        suspect_hosts=3,
    ),
    FailureClass(
        "out of memory",
        "the host has no memory left and its kernel kills a slot",
        "the case that was executing is tried again, the others at no cost",
        _TRIES,
        (Strategy.ELSEWHERE, Strategy.QUARANTINE_HOST, Strategy.SUSPECT_CASE),
        Cause.OUT_OF_MEMORY,
        retried=True,
        charge=Charge.FIRST,
        weight=1.0,
        suspect_hosts=2,
    ),
    FailureClass(
        "disk full",
        "a worker cannot write its journal or a workspace",
        "slots pause and results stay in memory until there is room; the worker is tainted `disk_full` meanwhile, so that"
        " nothing more is placed there; an allocation that cannot begin is tried on another worker",
        _TRIES,
        (Strategy.TAINT, Strategy.WAIT, Strategy.ELSEWHERE, Strategy.QUARANTINE_HOST),
        Cause.DISK_FULL,
        retried=True,
        charge=Charge.ALL,
        weight=1.0,
    ),
    FailureClass(
        "device lost",
        "a device that an attempt held is gone or broken when its detector is asked: every `detector_every_seconds` (60), and after a crash",
        "its cases are tried again, and the device gets nothing new before it has passed a test",
        _TRIES,
        (Strategy.ELSEWHERE, Strategy.QUARANTINE_DEVICE, Strategy.SUSPECT_CASE),
        Cause.DEVICE_LOST,
        retried=True,
        charge=Charge.ALL,
        weight=1.5,
        of_device=True,
        suspect_hosts=2,
    ),
    FailureClass(
        "environment",
        "the environment of a target cannot be built, or its runner does not start, or ends while it is wanted",
        "built again on a worker that is not avoided; one that cannot be built anywhere fails the target",
        _TRIES,
        (Strategy.REBUILD, Strategy.ELSEWHERE, Strategy.QUARANTINE_HOST),
        Cause.ENVIRONMENT,
        retried=True,
        charge=Charge.ALL,
        weight=1.0,
    ),
    FailureClass(
        "network",
        "a transfer between worker and coordinator fails, or an assignment does not arrive",
        "an assignment that did not arrive is given again at no cost; after a failed transfer another worker is tried",
        _TRIES,
        (Strategy.IN_PLACE, Strategy.ELSEWHERE, Strategy.QUARANTINE_HOST),
        Cause.NETWORK,
        retried=True,
        charge=Charge.ALL,
        weight=0.5,
    ),
    FailureClass(
        "not quiet",
        "a case has waited as long as the gates of its target allow, and its host was still too warm or too busy",
        "its cases go to another worker where there is one; it does not speak against the host",
        _TRIES,
        (Strategy.WAIT, Strategy.ELSEWHERE),
        Cause.NOT_QUIET,
        retried=True,
        charge=Charge.ALL,
    ),
    FailureClass(
        "preempted",
        "the attempt made room for other work",
        "its cases are queued again",
        "none: it costs no try",
        (Strategy.ELSEWHERE,),
        Cause.PREEMPTED,
        retried=True,
    ),
    FailureClass(
        "collection",
        "the runner refuses its arguments, or the suite cannot be collected",
        "the target fails: another host would say the same",
        "none",
        (Strategy.VERDICT,),
        Cause.COLLECTION,
        charge=Charge.ALL,
    ),
    FailureClass(
        "scheduler",
        "its stream breaks, it does not answer within its deadline while something could be placed, or has no word about that for two "
        "seconds, what it says makes no sense, or most of what it proposes could not hold",
        "runs go on inside their allocations; the default scheduler decides for its groups within a second, and it is tried again by "
        "itself. Where the default one is away: it is dialled again, with pauses that grow; runs that wait are told so",
        "none: for as long as it takes",
        (Strategy.WAIT,),
    ),
    FailureClass(
        "connector",
        "an outside system refuses what it is told, or cannot be reached",
        "delivered again from the outbox; runs do not wait for it",
        "the connector's own",
        (Strategy.IN_PLACE,),
    ),
    FailureClass(
        "artifacts",
        "the store of artifacts cannot be reached, or is full",
        "tests go on and their slots are given back; the worker keeps what they left on its disk, the run names it as missing, "
        "and it is attached when the store takes it, also by the next agent",
        "`late_artifact_bytes` (4 GiB) and `late_artifact_days` (7) of each worker",
        (Strategy.WAIT, Strategy.IN_PLACE),
    ),
    FailureClass(
        "disk of the ledger",
        "a commit finds no room",
        "nothing is acknowledged, commands are refused with `DISK_FULL`, reads are answered; workers keep their results",
        "`disk_full_seconds`, then whoever watches is told",
        (Strategy.READ_ONLY, Strategy.WAIT),
    ),
    FailureClass(
        "database",
        "a commit fails, or its outcome is unknown",
        "nothing is answered before the head row says what happened; then refused, or carried out again on the last commit",
        "commands that wait: `queue_commands`",
        (Strategy.REFUSE, Strategy.STEP_DOWN),
    ),
    FailureClass(
        "etcd",
        "the leader's lease cannot be renewed",
        "the leader goes on while its lease is safe by its own clock, then stops deciding; workers keep their results",
        "`leader_lease_seconds`",
        (Strategy.STEP_DOWN, Strategy.WAIT),
    ),
)

BY_CAUSE: dict[Cause, FailureClass] = {row.cause: row for row in TABLE if row.cause is not None}
"""The rows that say why attempts and allocations end."""

RETRIED = frozenset(cause for cause, row in BY_CAUSE.items() if row.retried)
"""Causes after which the cases left are tried again, within the run's budget."""

STRIKES = frozenset(cause for cause, row in BY_CAUSE.items() if row.suspect_hosts)
"""Crash-like causes: the case that was executing may have brought them about."""
