"""Groups, workers and allocations that go, and some that come back."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Only
from crossfleet.client.conformance.rows import Holding, group, worker

CHECKS = (
    Check(
        "vanish.group",
        "A group that has gone gets nothing",
        "its run was cancelled",
        steps=(
            Step(groups=(group("g1", 2), group("g2", 2))),
            Step(gone=("g1",)),
            Step((worker("w1", 4),), expect=(Holds("g2", 2), Nothing("g1"))),
        ),
    ),
    Check(
        "vanish.group-returns",
        "A group that comes back is a group as any other",
        "a rerun opens a group again",
        steps=(
            Step(groups=(group("g1", 2),)),
            Step(gone=("g1",)),
            Step((worker("w1", 2),), expect=(Nothing(),)),
            Step(groups=(group("g1", 2),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "vanish.group-with-slots",
        "What a group held that has gone is free once its allocations have gone",
        "the fleet leaks slots",
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(groups=(group("g2", 2),), expect=(Nothing(),)),
            Step(gone=("g1",), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "vanish.group-before-slots",
        "What a group holds that has gone is held until its allocation has gone",
        "its last tasks are being ended",
        steps=(
            Step((worker("w1", 2),), (group("g2", 2),), (Holding("h1", "gone", "w1", 2),), expect=(Nothing(),)),
            Step(gone=("h1",), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "vanish.worker",
        "A worker that has gone gets nothing",
        "it is not there",
        steps=(
            Step((worker("w1", 4), worker("w2", 1))),
            Step(gone=("w1",)),
            Step(groups=(group("g1", 4),), expect=(Holds("g1", 1), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "vanish.worker-returns",
        "A worker that comes back gets work again",
        "hosts are restarted",
        steps=(
            Step((worker("w1", 2),)),
            Step(gone=("w1",)),
            Step(groups=(group("g1", 2),), expect=(Nothing(),)),
            Step((worker("w1", 2),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "vanish.worker-returns-smaller",
        "A worker that comes back with fewer slots gives no more than those",
        "hosts are rebuilt under their old name",
        steps=(
            Step((worker("w1", 4),)),
            Step(gone=("w1",)),
            Step((worker("w1", 1),), (group("g1", 4),), expect=(Holds("g1", 1),)),
        ),
    ),
    Check(
        "vanish.worker-with-work",
        "Work of a worker that has gone is placed elsewhere",
        "the run never ends",
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step((worker("w2", 2),), (group("g1", 2),), gone=("w1",), expect=(Holds("g1", 2), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "vanish.clean-return",
        "A worker that lost its work with its life comes back with all its slots free",
        "the fleet leaks slots",
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(gone=("w1", "g1")),
            Step((worker("w1", 2),), (group("g2", 2),), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "vanish.all",
        "A fleet that goes as a whole and comes back works again",
        "a network may be away for a minute",
        steps=(
            Step((worker("w1", 2), worker("w2", 2)), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(groups=(group("g1", 2),), gone=("w1", "w2"), expect=(Nothing(),)),
            Step((worker("w1", 2), worker("w2", 2)), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "vanish.strangers",
        "Ids that go without ever having come are passed over",
        "what came and went between two updates is told as gone",
        steps=(
            Step((worker("w1", 2),)),
            Step(groups=(group("g1", 2),), gone=("stranger-1", "stranger-2"), expect=(Holds("g1", 2),)),
        ),
    ),
)
