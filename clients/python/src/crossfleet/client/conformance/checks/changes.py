"""What changes after the first snapshot: as deltas, or as snapshots where the scheduler wants those."""

from __future__ import annotations

from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_DRAINING, WORKER_STATE_READY
from crossfleet.client.conformance.check import Answer, Check, Level, Step
from crossfleet.client.conformance.expecting import BasedOnIt, Holds, NoRevocations, Nothing, Only, Proposed
from crossfleet.client.conformance.rows import Holding, group, worker

_EU, _US = {"zone": "eu"}, {"zone": "us"}
_IN_EU = 'worker.labels.zone == "eu"'

CHECKS = (
    Check(
        "change.group-comes",
        "A group that comes later is placed",
        "runs are submitted while a stream is open",
        steps=(Step((worker("w1"),)), Step(groups=(group("g1"),), expect=(Holds("g1", 2), BasedOnIt()))),
    ),
    Check(
        "change.worker-comes",
        "A worker that comes later gets work",
        "a fleet grows while runs wait",
        steps=(Step(groups=(group("g1"),)), Step((worker("w1"),), expect=(Holds("g1", 2),))),
    ),
    Check(
        "change.wants-more",
        "A group that wants more slots than before gets them",
        "once its cases are known a group wants more",
        steps=(
            Step((worker("w1", 4),), (group("g1", 1),), expect=(Holds("g1", 1),)),
            Step(groups=(group("g1", 3),), expect=(Holds("g1", 4),)),
        ),
    ),
    Check(
        "change.wants-none",
        "A group that no longer wants slots gets none",
        "its last cases are running already",
        steps=(
            Step(groups=(group("g1", 2),)),
            Step(groups=(group("g1", 0),)),
            Step((worker("w1"),), expect=(Nothing(),)),
        ),
    ),
    Check(
        "change.worker-grows",
        "A worker that has more slots than before gives them",
        "a worker may be configured anew",
        steps=(
            Step((worker("w1", 1),), (group("g1", 3),), expect=(Holds("g1", 1),)),
            Step((worker("w1", 3),), expect=(Holds("g1", 3),)),
        ),
    ),
    Check(
        "change.worker-shrinks",
        "A worker that has fewer slots than before gives no more than those",
        "a worker may be configured anew",
        steps=(
            Step((worker("w1", 4),)),
            Step((worker("w1", 1),)),
            Step(groups=(group("g1", 4),), expect=(Holds("g1", 1),)),
        ),
    ),
    Check(
        "change.overdrawn",
        "A worker that has fewer slots than are held of it gives none",
        "a worker may come back smaller",
        steps=(
            Step((worker("w1", 4),), (group("g1", 3),), expect=(Holds("g1", 3),)),
            Step((worker("w1", 2),), (group("g2", 2),), expect=(Nothing(),)),
        ),
    ),
    Check(
        "change.allocation-ends",
        "Slots that get free are given to whoever waits",
        "the fleet stops after the first run",
        steps=(
            Step((worker("w1"),), (group("g1", 0), group("g2", 2)), (Holding("h1", "g1", "w1", 2),)),
            Step(gone=("h1", "g1"), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "change.allocation-shrinks",
        "An allocation that holds fewer slots than before frees the others",
        "rows are sent whole and replace what was known",
        steps=(
            Step((worker("w1", 3),), (group("g1", 0), group("g2", 3)), (Holding("h1", "g1", "w1", 3),)),
            Step(holdings=(Holding("h1", "g1", "w1", 1),), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "change.whole-rows",
        "A row that is sent again replaces the one before, labels and all",
        "labels that are gone still attract work",
        steps=(
            Step((worker("w1", labels=_EU),)),
            Step((worker("w1", labels=_US),)),
            Step(groups=(group("g1", selector=_IN_EU, workers=()),), expect=(Nothing(),)),
        ),
    ),
    Check(
        "change.label-comes",
        "A worker that gets the label asked for gets the work",
        "selectors are judged on the newest row",
        steps=(
            Step((worker("w1", labels=_US),), (group("g1", selector=_IN_EU, workers=()),), expect=(Nothing(),)),
            Step(
                (worker("w1", labels=_EU),),
                (group("g1", selector=_IN_EU, workers=("w1",)),),
                expect=(Holds("g1", 2),),
            ),
        ),
    ),
    Check(
        "change.group-asks-for-another-kind",
        "A group that is sent again with another selector gets what that takes, and nothing else",
        "targets with alternatives wait for ever, or end up on what they no longer ask for",
        steps=(
            Step((worker("w1", labels=_US),), (group("g1", selector=_IN_EU, workers=()),), expect=(Nothing(),)),
            Step(groups=(group("g1", selector="", workers=("w1",)),), expect=(Holds("g1", 2),)),
            Step((worker("w1", 4, labels=_US),), (group("g1", 4, selector=_IN_EU, workers=()),), expect=(Nothing(),)),
        ),
    ),
    Check(
        "change.drains",
        "A worker that begins to drain gets nothing more",
        "an operator wants to take it away",
        steps=(
            Step((worker("w1", 4),), (group("g1", 1),), expect=(Holds("g1", 1),)),
            Step((worker("w1", 4, state=WORKER_STATE_DRAINING),)),
            Step(groups=(group("g1", 1), group("g2", 2)), expect=(Nothing(),)),
        ),
    ),
    Check(
        "change.undrains",
        "A worker that is ready again gets work again",
        "the fleet stays smaller than it is",
        steps=(
            Step((worker("w1", state=WORKER_STATE_DRAINING),), (group("g1", 2),), expect=(Nothing(),)),
            Step((worker("w1", state=WORKER_STATE_READY),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "change.nothing",
        "An update that changes nothing is answered by no proposal",
        "countdowns of running groups are sent twice a second",
        steps=(
            Step((worker("w1", 4),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(expect=(Nothing(), NoRevocations())),
            Step(expect=(Nothing(), NoRevocations())),
        ),
    ),
    Check(
        "change.mixed",
        "One update may bring, change and remove workers, groups and allocations at once",
        "updates that gather are sent as one",
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (group("g1", 0), group("g2", 0)),
                (Holding("h1", "g1", "w1", 2), Holding("h2", "g2", "w2", 2)),
            ),
            Step(
                (worker("w3", 1),),
                (group("g3", 3),),
                gone=("h1", "g1", "w2"),
                expect=(Holds("g3", 3), Only("g3", ("w1", "w3"))),
            ),
        ),
    ),
    Check(
        "change.held-by-others",
        "Allocations that somebody else made count as held",
        "the coordinator places some work by itself, as canaries",
        steps=(
            Step((worker("w1", 2), worker("w2", 2)), (group("g1", 0),)),
            Step(holdings=(Holding("h1", "g1", "w1", 2),)),
            Step(groups=(group("g2", 4),), expect=(Holds("g2", 2), Only("g2", ("w2",)))),
        ),
    ),
    Check(
        "change.unanswered",
        "What was proposed and not yet answered counts as held",
        "while a slow database commits, everything would be proposed twice",
        needs=frozenset(("deltas",)),
        steps=(
            Step((worker("w1", 4),), (group("g1", 2),), answer=Answer.WITHHOLD, expect=(Proposed("g1", 2),)),
            Step(groups=(group("g2", 4),), answer=Answer.WITHHOLD, expect=(Proposed("g1", 0), Proposed("g2", 0, 2))),
        ),
    ),
    Check(
        "change.avoided",
        "Workers that a group avoids are taken last",
        "it failed there for causes of the host",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1"), worker("w2")),
                (group("g1", 2, avoid=("w1",)), group("g2", 2, avoid=("w2",))),
                expect=(Holds("g1", 2), Only("g1", ("w2",)), Only("g2", ("w1",))),
            ),
        ),
    ),
    Check(
        "change.avoided-alone",
        "A group that avoids every worker is placed all the same",
        "avoiding is a preference, not a rule",
        Level.SHOULD,
        steps=(Step((worker("w1"),), (group("g1", 2, avoid=("w1",)),), expect=(Holds("g1", 2),)),),
    ),
)
