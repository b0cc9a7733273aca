"""Slots, cores and memory: never more than there is."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Only, Together
from crossfleet.client.conformance.rows import GIB, Holding, group, request, worker

CHECKS = (
    Check(
        "capacity.slots",
        "No worker gives more slots than it has",
        "the proposal is refused, and nothing of it is placed",
        steps=(Step((worker("w1", 2),), (group("g1", 9),), expect=(Holds("g1", 2),)),),
    ),
    Check(
        "capacity.shared-slots",
        "Groups of one plan together get no more slots than a worker has",
        "the later ones are refused",
        steps=(
            Step(
                (worker("w1", 5),),
                tuple(group(f"g{n}", 4) for n in range(1, 4)),
                expect=(Together(("g1", "g2", "g3"), 5),),
            ),
        ),
    ),
    Check(
        "capacity.wanted",
        "No group gets more slots than it wants",
        "the proposal is refused, and nothing of it is placed",
        steps=(Step((worker("w1", 8), worker("w2", 8)), (group("g1", 3),), expect=(Holds("g1", 3),)),),
    ),
    Check(
        "capacity.cores",
        "Cores that a request names are not given twice",
        "slots would be slower than the run expects",
        steps=(
            Step((worker("w1", 8, cores=4),), (group("g1", 8, request=request(cores=1.5)),), expect=(Holds("g1", 2),)),
        ),
    ),
    Check(
        "capacity.fractions",
        "Fractions of cores add up without drifting",
        "0.1 + 0.2 is not 0.3 in floating point: a slot is lost or given twice",
        steps=(
            Step(
                (worker("w1", 8, cores=0.3),),
                (group("g1", 8, request=request(cores=0.1)),),
                expect=(Holds("g1", 3),),
            ),
        ),
    ),
    Check(
        "capacity.default-cores",
        "A request that names no cores takes the worker's cores divided by its slots",
        "what is left for others would be counted wrong",
        steps=(
            Step(
                (worker("w1", 4, cores=4),),
                (group("g1", 0), group("g2", 4, request=request(cores=2.0))),
                (Holding("h1", "g1", "w1", 2),),
                expect=(Holds("g2", 1),),
            ),
        ),
    ),
    Check(
        "capacity.too-many-cores",
        "A request for more cores than a worker has does not go there",
        "it could never run",
        steps=(
            Step(
                (worker("w1", 4, cores=4), worker("w2", 1, cores=16)),
                (group("g1", 4, request=request(cores=8.0)),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "capacity.memory",
        "Memory that a request names is not given twice",
        "the kernel ends one of them",
        steps=(
            Step(
                (worker("w1", 8, memory=8 * GIB),),
                (group("g1", 8, request=request(memory=3 * GIB)),),
                expect=(Holds("g1", 2),),
            ),
        ),
    ),
    Check(
        "capacity.held-memory",
        "Memory that others hold is not free",
        "the kernel ends one of them",
        steps=(
            Step(
                (worker("w1", 8, memory=8 * GIB),),
                (group("g1", 0, request=request(memory=5 * GIB)), group("g2", 4, request=request(memory=2 * GIB))),
                (Holding("h1", "g1", "w1", 1),),
                expect=(Holds("g2", 1),),
            ),
        ),
    ),
    Check(
        "capacity.slots-max",
        "No group gets more slots than its slots_max, over all workers",
        "a licence or a service behind the tests bears no more",
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (group("g1", 3, request=request(slots_max=3)),),
                expect=(Holds("g1", 3),),
            ),
        ),
    ),
    Check(
        "capacity.slots-min",
        "A group gets its slots_min at once or nothing",
        "fewer slots make no sense for it",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 2),),
                (group("g1", 4, request=request(slots_min=3)),),
                expect=(Nothing("g1"),),
            ),
            Step((worker("w2", 4),), expect=(Holds("g1", 3, 4),)),
        ),
    ),
    Check(
        "capacity.exclusive",
        "A request for a worker of its own goes to one that is idle",
        "a benchmark measures its neighbours",
        steps=(
            Step(
                (worker("w1", 3), worker("w2", 8)),
                (group("g1", 0), group("g2", 2, request=request(exclusive=True))),
                (Holding("h1", "g1", "w1", 1),),
                expect=(Holds("g2", 2), Only("g2", ("w2",))),
            ),
        ),
    ),
    Check(
        "capacity.exclusive-waits",
        "A request for a worker of its own waits while every worker is in use",
        "a benchmark measures its neighbours",
        steps=(
            Step(
                (worker("w1", 4),),
                (group("g1", 0), group("g2", 2, request=request(exclusive=True))),
                (Holding("h1", "g1", "w1", 1),),
                expect=(Nothing(),),
            ),
            Step(gone=("h1", "g1"), expect=(Holds("g2", 2),)),
        ),
    ),
    Check(
        "capacity.beside-exclusive",
        "Nothing goes to a worker that somebody has for itself, however many slots are left",
        "a benchmark is disturbed",
        steps=(
            Step(
                (worker("w1", 4),),
                (group("g1", 0, request=request(exclusive=True)), group("g2", 2)),
                (Holding("h1", "g1", "w1", 1),),
                expect=(Nothing(),),
            ),
            Step((worker("w2", 2),), expect=(Holds("g2", 2), Only("g2", ("w2",)))),
        ),
    ),
    Check(
        "capacity.one-exclusive",
        "Of two requests for a worker of their own one gets the only worker",
        "the other is refused, or both are disturbed",
        steps=(
            Step(
                (worker("w1", 2),),
                tuple(group(f"g{n}", 2, request=request(exclusive=True)) for n in (1, 2)),
                expect=(Together(("g1", "g2"), 2),),
            ),
        ),
    ),
)
