"""Hosts with several workers, and hosts that are to be quiet."""

from __future__ import annotations

from crossfleet.api.types.v1.suite_pb2 import Gates
from crossfleet.client.conformance.check import Check, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Only, Together
from crossfleet.client.conformance.rows import Holding, group, request, worker

CHECKS = (
    Check(
        "host.exclusive",
        "A request for a host of its own waits while another worker of the host is in use",
        "a benchmark measures its neighbours",
        steps=(
            Step(
                (worker("w1", 2, host="h1"), worker("w2", 4, host="h1")),
                (group("g1", 0), group("g2", 2, request=request(exclusive=True))),
                (Holding("h1", "g1", "w1", 1),),
                expect=(Nothing(),),
            ),
            Step((worker("w3", 2, host="h2"),), expect=(Holds("g2", 2), Only("g2", ("w3",)))),
        ),
    ),
    Check(
        "host.beside-exclusive",
        "Nothing goes to any worker of a host that somebody has for himself",
        "a benchmark is disturbed",
        steps=(
            Step(
                (worker("w1", 2, host="h1"), worker("w2", 4, host="h1")),
                (group("g1", 0, request=request(exclusive=True)), group("g2", 2)),
                (Holding("h1", "g1", "w1", 1),),
                expect=(Nothing(),),
            ),
            Step((worker("w3", 2, host="h2"),), expect=(Holds("g2", 2), Only("g2", ("w3",)))),
        ),
    ),
    Check(
        "host.one-exclusive",
        "Of two requests for a host of their own one gets a worker of the only host",
        "the other is refused, or both are disturbed",
        steps=(
            Step(
                tuple(worker(f"w{n}", 2, host="h1") for n in (1, 2)),
                tuple(group(f"g{n}", 2, request=request(exclusive=True)) for n in (1, 2)),
                expect=(Together(("g1", "g2"), 2),),
            ),
        ),
    ),
    Check(
        "host.gates",
        "A request with gates goes to workers that can measure them",
        "it would never know whether its host is quiet",
        steps=(
            Step(
                (worker("w1", 4, gates=("load",)),),
                (group("g1", 2, request=request(exclusive=True, gates=Gates(load=0.5, temperature=80))),),
                expect=(Nothing(),),
            ),
            Step(
                (worker("w2", 2, gates=("clock", "load", "temperature")),),
                expect=(Holds("g1", 2), Only("g1", ("w2",))),
            ),
        ),
    ),
)
