"""Why groups wait. NEVER is taken at its word: the run fails unless it said that it would wait."""

from __future__ import annotations

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import WAITING_KIND_LATER, WAITING_KIND_NEVER
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_DRAINING
from crossfleet.client.conformance.check import Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, NotForgotten, NotNever, Waits
from crossfleet.client.conformance.rows import Holding, group, request, wants, worker

_GPU = request(devices=(wants("gpu"),))
_FULL = (Holding("h1", "g0", "w1", 2),)

CHECKS = (
    Check(
        "waiting.busy",
        "A group that waits for a busy worker is told LATER, with a code and a text",
        "nobody knows why the run does not start",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),), (group("g0", 0), group("g1", 2)), _FULL, expect=(Waits("g1", WAITING_KIND_LATER),)
            ),
        ),
    ),
    Check(
        "waiting.never",
        "A group that no worker can ever satisfy is told NEVER",
        "the run waits for ever, where it could fail at once",
        Level.SHOULD,
        steps=(Step((worker("w1", 2),), (group("g1", 2, request=_GPU),), expect=(Waits("g1", WAITING_KIND_NEVER),)),),
    ),
    Check(
        "waiting.never-selector",
        "A group whose selector holds for no worker is told NEVER",
        "the run waits for ever, where it could fail at once",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2, labels={"zone": "us"}),),
                (group("g1", 2, selector='worker.labels.zone == "eu"', workers=()),),
                expect=(Waits("g1", WAITING_KIND_NEVER),),
            ),
        ),
    ),
    Check(
        "waiting.partly",
        "A group that got less than it wants is told why",
        "nobody knows why the run is slow",
        Level.SHOULD,
        steps=(Step((worker("w1", 2),), (group("g1", 6),), expect=(Holds("g1", 2), Waits("g1"))),),
    ),
    Check(
        "waiting.never-is-true",
        "A group that only has to wait is not told NEVER",
        "its run fails",
        steps=(
            Step((worker("w1", 2),), (group("g0", 0), group("g1", 2)), _FULL, expect=(NotNever("g1"),)),
            Step(gone=("h1", "g0"), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "waiting.kept",
        "A group that would fit what is kept for a larger one is placed all the same, or told why it waits",
        "after two seconds without a word the fleet's own scheduler decides for it",
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g0", 0), group("g1", 1, age=100, request=request(exclusive=True)), group("g2", 1)),
                (Holding("h1", "g0", "w1", 1),),
                expect=(NotForgotten("g2"),),
            ),
        ),
    ),
    Check(
        "waiting.kept-for-a-gang",
        "A group that would fit what is kept for a gang is placed all the same, or told why it waits",
        "after two seconds without a word the fleet's own scheduler decides for it",
        needs=frozenset(("gangs",)),
        steps=(
            Step(
                (worker("w1", 1), worker("w2", 1)),
                (group("g0", 0), group("g1", 2, age=100, request=request(gang=2)), group("g2", 1)),
                (Holding("h1", "g0", "w1", 1),),
                expect=(NotForgotten("g2"),),
            ),
        ),
    ),
    Check(
        "waiting.empty-fleet",
        "In a fleet without workers nobody is told NEVER",
        "a fleet that starts would fail its first runs",
        steps=(Step(groups=(group("g1", 2),), expect=(NotNever("g1"),)),),
    ),
    Check(
        "waiting.drained",
        "A group whose only worker drains is not told NEVER",
        "its run fails because of an operator's work",
        steps=(
            Step((worker("w1", 2), worker("w2", 2, runners=("go",))), (group("g1", 0),)),
            Step((worker("w1", 2, state=WORKER_STATE_DRAINING),), (group("g1", 2),), expect=(NotNever("g1"),)),
        ),
    ),
    Check(
        "waiting.changes",
        "A reason that no longer holds is replaced: NEVER by LATER, once a worker has come that would do",
        "people look for a fault that is mended",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, runner="go"), group("g0", 0, runner="go")),
                expect=(Waits("g1", WAITING_KIND_NEVER),),
            ),
            Step(
                (worker("w2", 2, runners=("go",)),),
                holdings=(Holding("h1", "g0", "w2", 2),),
                expect=(Waits("g1", WAITING_KIND_LATER),),
            ),
        ),
    ),
    Check(
        "waiting.comes-true",
        "A group that was told NEVER is placed once a worker has come that satisfies it",
        "runs that wait for a worker wait for ever",
        steps=(
            Step((worker("w1", 2),), (group("g1", 2, runner="go"),)),
            Step((worker("w2", 2, runners=("go",)),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "waiting.every",
        "Each of many groups that wait is told why",
        "waiting without a reason is a defect",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g0", 0), *(group(f"g{n}", 2) for n in range(1, 21))),
                _FULL,
                expect=tuple(Waits(f"g{n}") for n in range(1, 21)),
            ),
        ),
    ),
)
