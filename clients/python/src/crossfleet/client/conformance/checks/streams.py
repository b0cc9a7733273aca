"""Snapshots in mid-stream, gaps, later versions, and streams that end and begin."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Form, Level, Step
from crossfleet.client.conformance.expecting import AsksForSnapshot, BasedOnIt, Ends, FewPlans, Holds, Nothing, Only
from crossfleet.client.conformance.rows import Holding, group, worker

_DELTAS = frozenset(("deltas",))

CHECKS = (
    Check(
        "stream.snapshot-again",
        "A snapshot in mid-stream is taken in, and plans go on",
        "the coordinator sends one whenever it has loaded its state again",
        steps=(
            Step((worker("w1", 2),)),
            Step(groups=(group("g1", 2),), form=Form.SNAPSHOT, expect=(Holds("g1", 2), BasedOnIt())),
        ),
    ),
    Check(
        "stream.snapshot-replaces",
        "A snapshot in mid-stream replaces all that was known",
        "workers and groups that it lacks are not there",
        steps=(
            Step((worker("w1", 4), worker("w2", 1)), (group("g1", 0),), (Holding("h1", "g1", "w2", 1),)),
            Step(
                (worker("w2", 2),),
                (group("g2", 4),),
                replace=True,
                form=Form.SNAPSHOT,
                expect=(Holds("g2", 2), Only("g2", ("w2",))),
            ),
        ),
    ),
    Check(
        "stream.delta-after-snapshot",
        "Deltas after a snapshot in mid-stream are on top of it",
        "what the snapshot took away comes back",
        needs=_DELTAS,
        steps=(
            Step((worker("w1", 4),)),
            Step((worker("w2", 1),), replace=True, form=Form.SNAPSHOT),
            Step(groups=(group("g1", 4),), expect=(Holds("g1", 1), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "stream.gap",
        "A gap in the revisions is found, and a snapshot is asked for",
        "plans rest on a fleet that is not so",
        needs=_DELTAS,
        steps=(
            Step((worker("w1", 2),)),
            Step((worker("w2", 2),), lost=True),
            Step(groups=(group("g1", 4),), expect=(AsksForSnapshot(), Holds("g1", 4))),
        ),
    ),
    Check(
        "stream.gap-lost-end",
        "What a gap has taken away is not used once the snapshot has come",
        "plans rest on a fleet that is not so",
        needs=_DELTAS,
        steps=(
            Step((worker("w1", 4), worker("w2", 1))),
            Step(gone=("w1",), lost=True),
            Step(),
            Step(groups=(group("g1", 4),), expect=(Holds("g1", 1), Only("g1", ("w2",)))),
        ),
    ),
    Check(
        "stream.begins-with-delta",
        "A stream that begins with a delta is answered by asking for a snapshot",
        "plans rest on nothing",
        Level.SHOULD,
        needs=_DELTAS,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2),),
                form=Form.DELTA,
                expect=(AsksForSnapshot(), Holds("g1", 2)),
            ),
        ),
        first_revision=5,
    ),
    Check(
        "stream.bare",
        "An update without snapshot and delta is passed over",
        "later versions may send other kinds",
        steps=(
            Step((worker("w1", 2),)),
            Step(form=Form.BARE),
            Step(groups=(group("g1", 2),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "stream.later-fields",
        "Fields of later versions of the protocol are passed over",
        "a newer coordinator sends them",
        steps=(
            Step((worker("w1", 2),), (group("g1", 0),), (Holding("h1", "g1", "w1", 1),), unknown=True),
            Step(groups=(group("g2", 2),), unknown=True, expect=(Holds("g2", 1),)),
        ),
    ),
    Check(
        "stream.quick-updates",
        "Updates that follow each other quickly are all taken in",
        "a plan may rest on any of them, and the last one counts",
        steps=(
            *(Step((worker(f"w{n}", 1),), form=Form.CHANGES) for n in range(4)),
            Step(groups=(group("g1", 4),), expect=(Holds("g1", 4), BasedOnIt())),
        ),
    ),
    Check(
        "stream.quiet",
        "A scheduler that has nothing to say keeps quiet",
        "each plan costs the coordinator a commit",
        Level.SHOULD,
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(groups=(group("g2", 2),), watch=1.0, expect=(Nothing(), FewPlans(5))),
        ),
    ),
    Check(
        "stream.begins-anew",
        "A new stream begins with nothing of the one before",
        "after a change of leaders what was held may be free",
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step((worker("w1", 2),), (group("g1", 2),), replace=True, reopen=True, expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "stream.begins-anew-held",
        "A new stream takes what is held from its snapshot, not from memory",
        "after a change of leaders other allocations may be held",
        steps=(
            Step((worker("w1", 2), worker("w2", 2)), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (group("g1", 0), group("g2", 4)),
                (Holding("h9", "g1", "w2", 2),),
                replace=True,
                reopen=True,
                expect=(Holds("g2", 2), Only("g2", ("w1",))),
            ),
        ),
    ),
    Check(
        "stream.ends",
        "The stream ends once the coordinator has closed its side",
        "streams pile up in the scheduler",
        Level.SHOULD,
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(close=True, expect=(Ends(),)),
        ),
    ),
)
