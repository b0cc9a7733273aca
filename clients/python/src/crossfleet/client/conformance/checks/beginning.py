"""The first snapshot of a stream."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Form, Level, Step
from crossfleet.client.conformance.expecting import BasedOnIt, Holds, NoRevocations, Nothing, Only, Together
from crossfleet.client.conformance.rows import Holding, group, worker

CHECKS = (
    Check(
        "first.empty",
        "An empty fleet without work is taken in",
        "the stream ends before anybody joins",
        steps=(Step(expect=(Nothing(),)), Step(form=Form.SNAPSHOT, expect=(Nothing(),))),
    ),
    Check(
        "first.no-groups",
        "Nothing is proposed where nobody waits",
        "the proposal is for a group that does not exist",
        steps=(Step((worker("w1"), worker("w2")), expect=(Nothing(),)),),
    ),
    Check(
        "first.no-workers",
        "Nothing is proposed where there are no workers",
        "the proposal is for a worker that does not exist",
        steps=(Step(groups=(group("g1"),), expect=(Nothing(),)),),
    ),
    Check(
        "first.places",
        "A group that fits gets its slots",
        "the run never starts",
        steps=(Step((worker("w1"),), (group("g1", 2),), expect=(Holds("g1", 2),)),),
    ),
    Check(
        "first.based",
        "The first plan names the revision of the first snapshot",
        "the coordinator cannot say what the plan rests on",
        steps=(Step((worker("w1"),), (group("g1"),), expect=(Holds("g1", 2), BasedOnIt())),),
    ),
    Check(
        "first.large-revision",
        "A stream may begin with any revision, also above 2^40",
        "revisions are 64 bits wide",
        steps=(Step((worker("w1"),), (group("g1"),), expect=(Holds("g1", 2), BasedOnIt())),),
        first_revision=2**40,
    ),
    Check(
        "first.held",
        "What is held in the first snapshot is not given away again",
        "after a change of leaders everything is held",
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (group("g1", 0), group("g2", 4)),
                (Holding("h1", "g1", "w1", 2),),
                expect=(Holds("g2", 2), Only("g2", ("w2",))),
            ),
        ),
    ),
    Check(
        "first.full",
        "A full fleet gives nothing",
        "every proposal is refused",
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 0), group("g2", 2)),
                (Holding("h1", "g1", "w1", 2),),
                expect=(Nothing(), NoRevocations()),
            ),
        ),
    ),
    Check(
        "first.closing",
        "An allocation that is closing holds its slots until it is gone",
        "its last task still runs there",
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 0), group("g2", 2)),
                (Holding("h1", "g1", "w1", 2, closing=True),),
                expect=(Nothing(),),
            ),
            Step(gone=("h1",), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "first.satisfied",
        "A group that wants no more slots gets none",
        "the proposal is refused",
        steps=(Step((worker("w1", 4),), (group("g1", 0),), expect=(Nothing(),)),),
    ),
    Check(
        "first.several",
        "Several groups and workers are served together",
        "workers idle while groups wait",
        steps=(
            Step(
                tuple(worker(f"w{n}", 2) for n in range(3)),
                tuple(group(f"g{n}", 2) for n in range(3)),
                expect=tuple(Holds(f"g{n}", 2) for n in range(3)),
            ),
        ),
    ),
    Check(
        "first.spread",
        "A group that wants more than one worker has gets slots of several",
        "workers idle while it waits",
        steps=(Step((worker("w1", 2), worker("w2", 2)), (group("g1", 4),), expect=(Holds("g1", 4),)),),
    ),
    Check(
        "first.partial",
        "A group that wants more than the fleet has gets what there is",
        "it would wait for a fleet that never comes",
        Level.SHOULD,
        steps=(Step((worker("w1", 2), worker("w2", 1)), (group("g1", 9),), expect=(Holds("g1", 3),)),),
    ),
    Check(
        "first.busy",
        "No worker idles while somebody waits who could use it",
        "the fleet is not used",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 3),),
                (group("g1", 2), group("g2", 2)),
                expect=(Together(("g1", "g2"), 3),),
            ),
        ),
    ),
)
