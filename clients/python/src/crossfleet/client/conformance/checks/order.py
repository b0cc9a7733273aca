"""Who goes first. A scheduler may have a policy of its own; these are what people expect of any."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, NoRevocations, Nothing
from crossfleet.client.conformance.rows import Holding, group, worker

_ONE = Holding("h1", "g0", "w1", 2)

CHECKS = (
    Check(
        "order.priority",
        "The more urgent of two groups gets the slots",
        "priorities mean nothing",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, age=100), group("g2", 2, priority=10)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "order.negative-priority",
        "Work below priority 0 waits for work at 0",
        "priorities go from -1,000 to 1,000",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, age=100, priority=-1), group("g2", 2)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "order.late-priority",
        "Urgent work that comes last gets the next free slot",
        "it waits behind the whole queue",
        Level.SHOULD,
        steps=(
            Step((worker("w1", 2),), (group("g0", 0), group("g1", 2, age=100)), (_ONE,)),
            Step(groups=(group("g2", 2, priority=10),), expect=(Nothing(),)),
            Step(gone=("h1", "g0"), expect=(Holds("g2", 2), Nothing("g1"))),
        ),
    ),
    Check(
        "order.raised",
        "A group whose priority is raised goes first",
        "rows are sent whole and replace what was known",
        Level.SHOULD,
        steps=(
            Step((worker("w1", 2),), (group("g0", 0), group("g1", 2, age=100), group("g2", 2)), (_ONE,)),
            Step(groups=(group("g2", 2, priority=10),)),
            Step(gone=("h1", "g0"), expect=(Holds("g2", 2), Nothing("g1"))),
        ),
    ),
    Check(
        "order.age",
        "Of two groups of one project and priority the one that was submitted first gets the slots",
        "the order of rows says nothing: the oldest would wait for ever",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, age=10), group("g2", 2, age=500)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "order.deadline",
        "Of two groups of one project and priority the one that is due first gets the slots",
        "it misses its deadline behind work that can wait",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, age=500), group("g2", 2, age=100, due=600)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "order.due-later",
        "A group that is due in days does not pass one that was submitted before it",
        "what has no deadline would wait for ever",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, age=500), group("g2", 2, age=100, due=3 * 86_400)),
                expect=(Holds("g1", 2), Nothing("g2")),
            ),
        ),
    ),
    Check(
        "order.priority-before-deadline",
        "A deadline passes no priority",
        "whoever names the closest deadline takes the fleet from others",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 2, age=500, due=60), group("g2", 2, priority=10)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "order.projects",
        "Two projects of one weight that want all of a fleet get half of it each",
        "whoever submits first keeps everybody else out",
        Level.SHOULD,
        steps=(
            Step(
                tuple(worker(f"w{n}", 1) for n in range(4)),
                (group("g1", 4, project="p", age=10), group("g2", 4, project="q")),
                shares=(("p", 1.0), ("q", 1.0)),
                expect=(Holds("g1", 2), Holds("g2", 2)),
            ),
        ),
    ),
    Check(
        "order.weights",
        "A project of three times the weight gets three times the slots",
        "weights mean nothing",
        Level.SHOULD,
        steps=(
            Step(
                tuple(worker(f"w{n}", 1) for n in range(8)),
                (group("g1", 8, project="p", age=10), group("g2", 8, project="q")),
                shares=(("p", 1.0), ("q", 3.0)),
                expect=(Holds("g1", 2), Holds("g2", 6)),
            ),
        ),
    ),
    Check(
        "order.keeps",
        "Nothing is taken back where nothing more urgent waits",
        "tasks are broken off for nothing",
        Level.SHOULD,
        steps=(
            Step((worker("w1", 2),), (group("g1", 2),), expect=(Holds("g1", 2),)),
            Step(groups=(group("g2", 2), group("g3", 2, priority=-5)), expect=(NoRevocations(),)),
        ),
    ),
)
