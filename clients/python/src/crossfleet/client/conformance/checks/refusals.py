"""What becomes of proposals that the coordinator refuses."""

from __future__ import annotations

from crossfleet.client.conformance.check import Answer, Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Only, Proposed, Seldom
from crossfleet.client.conformance.rows import group, worker

CHECKS = (
    Check(
        "refusal.survived",
        "A refusal does not end the stream, and other work is placed after it",
        "refusals are ordinary: the fleet changes while a plan is made",
        steps=(
            Step(
                (worker("w1", 2),), (group("g1", 2),), answer=Answer.REFUSE, watch=0.3, expect=(Proposed("g1", 2, 99),)
            ),
            Step(
                (worker("w2", 2, runners=("go",)),),
                (group("g2", 2, runner="go"),),
                refused=frozenset(("w1",)),
                expect=(Holds("g2", 2),),
            ),
        ),
    ),
    Check(
        "refusal.again",
        "What was refused is proposed again once its worker has changed",
        "the group waits for ever",
        steps=(
            Step(
                (worker("w1", 2),), (group("g1", 2),), answer=Answer.REFUSE, watch=0.3, expect=(Proposed("g1", 2, 99),)
            ),
            Step((worker("w1", 3),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "refusal.by-itself",
        "What was refused is proposed again in the end although nothing changes",
        "the coordinator does not say when the cause is gone; the group waits for ever",
        steps=(
            Step(
                (worker("w1", 2),), (group("g1", 2),), answer=Answer.REFUSE, watch=0.3, expect=(Proposed("g1", 2, 99),)
            ),
            Step(expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "refusal.seldom",
        "The same refused proposal is not repeated at every update",
        "ten refusals a second, for every group that waits",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2),),
                answer=Answer.REFUSE,
                watch=2.0,
                expect=(Proposed("g1", 2, 999), Seldom("g1", 6)),
            ),
        ),
    ),
    Check(
        "refusal.elsewhere",
        "What is refused on one worker is tried on another",
        "the group waits although there is room",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (group("g1", 2),),
                refused=frozenset(("w1",)),
                expect=(Holds("g1", 2), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "refusal.part",
        "What of a plan was accepted is not proposed again because of what was refused",
        "the proposals are refused",
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (group("g1", 4),),
                refused=frozenset(("w1",)),
                watch=0.3,
                expect=(Holds("g1", 2), Only("g1", ("w2",))),
            ),
            Step((worker("w1", 2),), watch=0.2, expect=(Holds("g1", 4),)),
        ),
    ),
    Check(
        "refusal.stray",
        "An outcome of a plan that nobody made is passed over",
        "outcomes of an earlier stream may come",
        steps=(
            Step((worker("w1", 2),)),
            Step(groups=(group("g1", 2),), stray=True, expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "refusal.gone",
        "A refusal for a group that has gone is forgotten with it",
        "the next group is kept away from good workers",
        steps=(
            Step(
                (worker("w1", 2),), (group("g1", 2),), answer=Answer.REFUSE, watch=0.3, expect=(Proposed("g1", 2, 99),)
            ),
            Step(groups=(group("g2", 2),), gone=("g1",), expect=(Holds("g2", 2), Nothing("g1"))),
        ),
    ),
)
