"""Which workers may get work at all."""

from __future__ import annotations

from typing import cast

from crossfleet.api.types.v1.device_pb2 import (
    WORKER_STATE_DRAINING,
    WORKER_STATE_LOST,
    WORKER_STATE_QUARANTINED,
    WORKER_STATE_SUSPECT,
    WORKER_STATE_UNSPECIFIED,
    WorkerState,
)
from crossfleet.client.conformance.check import Check, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, NotNever, Only
from crossfleet.client.conformance.rows import group, request, worker

_LATER = cast("WorkerState.ValueType", 77)
_TAINTED = ("experimental",)


def _state(word: str, sentence: str, state: WorkerState.ValueType, why: str) -> Check:
    """Nothing goes to a worker in a state, also where it is the only one; beside it the ready one gets the work."""
    return Check(
        f"fit.{word}",
        sentence,
        why,
        steps=(
            Step((worker("w1", 4, state=state),), (group("g1", 2),), expect=(Nothing(), NotNever("g1"))),
            Step((worker("w2", 2),), expect=(Holds("g1", 2), Only("g1", ("w2",)))),
        ),
    )


CHECKS = (
    _state("draining", "Nothing new goes to a worker that drains", WORKER_STATE_DRAINING, "an operator takes it away"),
    _state(
        "quarantined", "Nothing new goes to a worker in quarantine", WORKER_STATE_QUARANTINED, "too much failed there"
    ),
    _state("suspect", "Nothing new goes to a worker that is silent", WORKER_STATE_SUSPECT, "it may be lost"),
    _state("lost", "Nothing goes to a worker that is lost", WORKER_STATE_LOST, "it is not there"),
    _state("no-state", "Nothing goes to a worker without a state", WORKER_STATE_UNSPECIFIED, "it cannot be judged"),
    _state("new-state", "Nothing goes to a worker in a state of later versions", _LATER, "it cannot be judged"),
    Check(
        "fit.taint",
        "A taint keeps work away that does not tolerate it",
        "the worker is meant for others",
        steps=(
            Step((worker("w1", taints=_TAINTED),), (group("g1"),), expect=(Nothing(),)),
            Step((worker("w2"),), expect=(Holds("g1", 2), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "fit.tolerated",
        "Work that tolerates a taint is placed there",
        "tainted workers would idle for ever",
        steps=(
            Step(
                (worker("w1", taints=_TAINTED),),
                (group("g1", request=request(tolerations=_TAINTED)),),
                expect=(Holds("g1", 2),),
            ),
        ),
    ),
    Check(
        "fit.two-taints",
        "Every taint of a worker must be tolerated",
        "one of two is not enough",
        steps=(
            Step(
                (worker("w1", taints=("experimental", "old")),),
                (group("g1", request=request(tolerations=_TAINTED)),),
                expect=(Nothing(),),
            ),
        ),
    ),
    Check(
        "fit.runner",
        "Work goes only to workers that have its runner",
        "the worker cannot execute it",
        steps=(
            Step((worker("w1", 4, runners=("command", "noop")),), (group("g1"),), expect=(Nothing(),)),
            Step((worker("w2", runners=("noop", "pytest")),), expect=(Holds("g1", 2), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "fit.label",
        "A selector over labels is heeded",
        "the target says where its cases are to run",
        steps=(
            Step(
                (worker("w1", 4, labels={"zone": "us"}), worker("w2", 2, labels={"zone": "eu"})),
                (group("g1", 4, selector='worker.labels.zone == "eu"', workers=("w2",)),),
                expect=(Holds("g1", 2), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "fit.no-label",
        "A worker without the label asked for does not match",
        "what is missing is not equal to anything",
        steps=(
            Step(
                (worker("w1", 4), worker("w2", 2, labels={"zone": "eu"})),
                (group("g1", 4, selector='worker.labels.zone == "eu"', workers=("w2",)),),
                expect=(Holds("g1", 2), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "fit.not-label",
        "A selector that excludes a label is heeded",
        "the target says where its cases must not run",
        steps=(
            Step(
                (worker("w1", 4, labels={"zone": "us"}), worker("w2", 2, labels={"zone": "eu"})),
                (group("g1", 4, selector='worker.labels.zone != "us"', workers=("w2",)),),
                expect=(Holds("g1", 2), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "fit.two-clauses",
        "Both sides of && must hold",
        "half a requirement is none",
        steps=(
            Step(
                (
                    worker("w1", 4, labels={"zone": "eu", "disk": "slow"}),
                    worker("w2", 4, labels={"zone": "us", "disk": "fast"}),
                    worker("w3", 2, labels={"zone": "eu", "disk": "fast"}),
                ),
                (
                    group(
                        "g1",
                        6,
                        selector='worker.labels.zone == "eu" && worker.labels.disk == "fast"',
                        workers=("w3",),
                    ),
                ),
                expect=(Holds("g1", 2), Only("g1", ("w3",))),
            ),
        ),
    ),
    Check(
        "fit.either",
        "One side of || is enough",
        "a worker that would do stays idle",
        steps=(
            Step(
                (worker("w1", 2, labels={"zone": "eu"}), worker("w2", 2, labels={"zone": "us"}), worker("w3", 2)),
                (
                    group(
                        "g1",
                        6,
                        selector='worker.labels.zone == "eu" || worker.labels.zone == "us"',
                        workers=("w1", "w2"),
                    ),
                ),
                expect=(Holds("g1", 4), Only("g1", ("w1", "w2"))),
            ),
        ),
    ),
    Check(
        "fit.slip",
        "A selector that does not compile fits nowhere, and the stream goes on",
        "one wrong run must not stop the others",
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, selector="worker.labels.zone ==", workers=()), group("g2", 2)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "fit.others-go-on",
        "Work that fits nowhere does not hold up the rest, however urgent it is",
        "one run would stop the fleet",
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, priority=900, runner="go", age=1000), group("g2", 2)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
)
