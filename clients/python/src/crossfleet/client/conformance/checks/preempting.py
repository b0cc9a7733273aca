"""Priority classes: who takes slots from whom. A scheduler without the ability `revocation` takes nothing back, and passes what is asked of all."""

from __future__ import annotations

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import PREEMPTION_ALLOWED, PREEMPTION_NEVER
from crossfleet.client.conformance.check import Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, NoRevocations, TakenBack
from crossfleet.client.conformance.rows import Holding, group, worker

_ABLE = frozenset(("revocation",))
_URGENT = group("urgent", 2, priority=100, preempts=True)

CHECKS = (
    Check(
        "preempt.takes-back",
        "A group that preempts gets the slots of one of lower priority whose slots may be taken back",
        "it waits for the end of work that was to make room for it",
        Level.SHOULD,
        needs=_ABLE,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 0, preemption=PREEMPTION_ALLOWED), _URGENT),
                (Holding("h1", "g1", "w1", 2),),
                expect=(TakenBack(("h1",)), Holds("urgent", 2)),
            ),
        ),
    ),
    Check(
        "preempt.protected",
        "Nothing is taken back from a group of which nothing may be",
        "the coordinator leaves it where it is, and what was to have its slots waits for ever",
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 0, preemption=PREEMPTION_NEVER), _URGENT),
                (Holding("h1", "g1", "w1", 2),),
                expect=(NoRevocations(),),
                watch=0.3,
            ),
            Step(gone=("h1", "g1"), expect=(Holds("urgent", 2),)),
        ),
    ),
    Check(
        "preempt.only-who-may",
        "A group that does not preempt takes nothing back, however urgent it is",
        "its class does not say so",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 0, preemption=PREEMPTION_ALLOWED), group("g2", 2, priority=100)),
                (Holding("h1", "g1", "w1", 2),),
                expect=(NoRevocations(),),
                watch=0.3,
            ),
        ),
    ),
    Check(
        "preempt.only-downwards",
        "A group that preempts takes nothing from one of its own priority or a higher one",
        "two would take slots from each other for ever",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (
                    group("g1", 0, priority=100, preemption=PREEMPTION_ALLOWED),
                    group("g2", 0, priority=200, preemption=PREEMPTION_ALLOWED),
                    _URGENT,
                ),
                (Holding("h1", "g1", "w1", 2), Holding("h2", "g2", "w2", 2)),
                expect=(NoRevocations(),),
                watch=0.3,
            ),
        ),
    ),
    Check(
        "preempt.least-urgent",
        "The least urgent gives its slots, and no more of them than are needed",
        "work is broken off for nothing",
        Level.SHOULD,
        needs=_ABLE,
        steps=(
            Step(
                tuple(worker(f"w{n}", 2) for n in range(3)),
                (
                    group("g1", 0, priority=5, preemption=PREEMPTION_ALLOWED),
                    group("g2", 0, priority=-5, preemption=PREEMPTION_ALLOWED),
                    group("g3", 0, preemption=PREEMPTION_NEVER, priority=-10),
                    _URGENT,
                ),
                (Holding("h1", "g1", "w0", 2), Holding("h2", "g2", "w1", 2), Holding("h3", "g3", "w2", 2)),
                expect=(TakenBack(("h2",)), Holds("urgent", 2)),
            ),
        ),
    ),
)
