"""Gangs: slots on several workers at once, all or nothing. A scheduler without the ability `gangs` leaves them alone."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Together
from crossfleet.client.conformance.rows import Holding, Wish, group, request, worker

_ABLE = frozenset(("gangs",))


def _gang(name: str, hosts: int, each: int = 1, **more: float) -> Wish:
    return group(name, hosts * each, request=request(gang=hosts, slots_min=each), **more)  # type: ignore[arg-type]


CHECKS = (
    Check(
        "gang.whole",
        "A gang gets its slots on as many workers as it asks for, in one gang_id",
        "it never starts",
        needs=_ABLE,
        steps=(Step(tuple(worker(f"w{n}") for n in range(3)), (_gang("g1", 3),), expect=(Holds("g1", 3),)),),
    ),
    Check(
        "gang.each",
        "A gang gets its slots_min on each worker, where it asks for several",
        "its parts would not be alike",
        needs=_ABLE,
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 3), worker("w3", 1)),
                (_gang("g1", 2, 2),),
                expect=(Holds("g1", 4),),
            ),
        ),
    ),
    Check(
        "gang.nothing-by-halves",
        "A gang that does not fit gets nothing",
        "half a gang holds slots and waits for ever",
        steps=(Step((worker("w1", 4), worker("w2", 4)), (_gang("g1", 3),), expect=(Nothing("g1"),)),),
    ),
    Check(
        "gang.not-on-one",
        "A gang is not put on one worker, however many slots that has",
        "its parts are to be on workers of their own",
        steps=(Step((worker("w1", 8),), (_gang("g1", 2),), expect=(Nothing("g1"),)),),
    ),
    Check(
        "gang.later",
        "A gang is placed once enough workers have come",
        "it never starts",
        needs=_ABLE,
        steps=(
            Step((worker("w1"), worker("w2")), (_gang("g1", 3),), expect=(Nothing("g1"),)),
            Step((worker("w3"),), expect=(Holds("g1", 3),)),
        ),
    ),
    Check(
        "gang.no-two-halves",
        "Of two gangs that do not fit together one is placed whole",
        "two half-gangs wait for each other for ever",
        needs=_ABLE,
        steps=(
            Step(
                tuple(worker(f"w{n}", 1) for n in range(3)),
                (_gang("g1", 2, age=10), _gang("g2", 2)),
                expect=(Together(("g1", "g2"), 2),),
            ),
        ),
    ),
    Check(
        "gang.complete",
        "A gang that is placed gets nothing more",
        "the proposal is refused",
        needs=_ABLE,
        steps=(
            Step((worker("w1"), worker("w2")), (_gang("g1", 2),), expect=(Holds("g1", 2),)),
            Step((worker("w3"), worker("w4")), expect=(Nothing(),)),
        ),
    ),
    Check(
        "gang.small-work-goes-on",
        "Small work is placed while a gang waits for more workers than there are",
        "one run would stop the fleet",
        steps=(
            Step(
                (worker("w1", 2), worker("w2", 2)),
                (_gang("g1", 3, age=100), group("g2", 2)),
                expect=(Holds("g2", 2), Nothing("g1")),
            ),
        ),
    ),
    Check(
        "gang.not-starved",
        "A gang that came first is placed although small work could take each slot as it gets free",
        "small work keeps it out for ever",
        Level.SHOULD,
        needs=_ABLE,
        steps=(
            Step(
                (worker("w1", 1), worker("w2", 1)),
                (group("g1", 0), group("g2", 0), _gang("gang", 2, age=100), group("g3", 1), group("g4", 1)),
                (Holding("h1", "g1", "w1", 1), Holding("h2", "g2", "w2", 1)),
            ),
            Step(gone=("h1", "g1")),
            Step(gone=("h2", "g2"), expect=(Holds("gang", 2),)),
        ),
    ),
)
