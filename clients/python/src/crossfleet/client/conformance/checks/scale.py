"""Fleets and queues that are larger, and how long a plan takes."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Level, Step
from crossfleet.client.conformance.expecting import Holds, Together, Within
from crossfleet.client.conformance.rows import group, worker

_THOUSAND = 1000
_MANY = tuple(group(f"g{n:04}", 1, age=float(_THOUSAND - n)) for n in range(_THOUSAND))

CHECKS = (
    Check(
        "scale.prompt",
        "The first plan of a small fleet comes within half a second",
        "people wait for the first test of their run",
        Level.SHOULD,
        steps=(Step((worker("w1", 2),), (group("g1", 2),), expect=(Within(0.5), Holds("g1", 2))),),
    ),
    Check(
        "scale.groups",
        "A queue of a thousand groups is planned without giving more than there is",
        "a fleet's mornings look so",
        steps=(
            Step(
                tuple(worker(f"w{n:02}", 8) for n in range(50)),
                _MANY,
                expect=(Together(tuple(one.group_id for one in _MANY), 400),),
            ),
        ),
    ),
    Check(
        "scale.groups-prompt",
        "A thousand groups get their first plan within two seconds",
        "the fleet idles meanwhile",
        Level.SHOULD,
        steps=(Step(tuple(worker(f"w{n:02}", 8) for n in range(50)), _MANY, expect=(Within(2.0),)),),
    ),
    Check(
        "scale.workers",
        "A fleet of a thousand workers is given to one large group",
        "a fleet's nights look so",
        steps=(
            Step(
                tuple(worker(f"w{n:04}", 2) for n in range(_THOUSAND)),
                (group("g1", 2 * _THOUSAND),),
                expect=(Holds("g1", 2 * _THOUSAND),),
            ),
        ),
    ),
    Check(
        "scale.large",
        "A snapshot of more than 4 MiB is taken in",
        "a server of gRPC refuses it unless it is told otherwise: the stream breaks, again and again",
        steps=(
            Step(
                tuple(worker(f"w{n:02}", 1, labels={"note": "x" * 2**18}) for n in range(20)),
                (group("g1", 20),),
                expect=(Holds("g1", 20),),
            ),
        ),
    ),
    Check(
        "scale.next",
        "Behind a thousand groups that wait, a slot that gets free is given away within a second",
        "slots idle between two runs",
        Level.SHOULD,
        steps=(
            Step(
                (worker("w1", 1),),
                _MANY,
                expect=(Together(tuple(one.group_id for one in _MANY), 1),),
            ),
            Step((worker("w2", 1),), expect=(Within(1.0),)),
        ),
    ),
)
