"""Devices of which several slots may hold portions. Who knows nothing of that gives them whole, and passes what is asked of all."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Step
from crossfleet.client.conformance.expecting import Holds, Nothing, Only
from crossfleet.client.conformance.rows import (
    GIB,
    Holding,
    device,
    group,
    portion,
    request,
    shareable,
    wants,
    wants_memory,
    worker,
)

_LARGE = shareable("large-0", 16 * GIB)
_OWN = shareable("own-0", 16 * GIB)
_OWN.shareable = False
_WHOLE = request(devices=(wants("gpu"),))
_FOUR = request(devices=(wants_memory(4 * GIB),))
_TWELVE = Holding("h1", "g1", "w1", 1, ("large-0",), portions=(portion("large-0", 12 * GIB),))
_HOLDER = group("g1", 0, request=request(devices=(wants_memory(12 * GIB),)))
_ABLE = frozenset(("portions",))

CHECKS = (
    Check(
        "portion.too-small",
        "A device that has less in all than a request names is not proposed",
        "the proposal is refused; the selector says it, too",
        steps=(
            Step(
                (
                    worker("w1", 4, devices=(shareable("small-0", 2 * GIB), device("bare-0"))),
                    worker("w2", 1, devices=(_LARGE,)),
                ),
                (group("g1", 1, request=_FOUR, devices=("large-0",)),),
                expect=(Holds("g1", 1), Only("g1", ("w2",))),
            ),
        ),
    ),
    Check(
        "portion.held-whole",
        "A shareable device that somebody has whole is given to nobody else",
        "who names no amounts relies on having it alone",
        steps=(
            Step(
                (worker("w1", 4, devices=(_LARGE,)),),
                (group("g1", 0, request=_WHOLE), group("g2", 2, request=_FOUR)),
                (Holding("h1", "g1", "w1", 1, ("large-0",)),),
                expect=(Nothing("g2"),),
            ),
            Step(gone=("h1", "g1"), expect=(Holds("g2", 1, 2),)),
        ),
    ),
    Check(
        "portion.too-much",
        "Of a shareable device no more is given than is left",
        "the proposal is refused",
        steps=(
            Step(
                (worker("w1", 4, devices=(_LARGE,)),),
                (_HOLDER, group("g2", 2, request=request(devices=(wants_memory(8 * GIB),)))),
                (_TWELVE,),
                expect=(Nothing("g2"),),
            ),
            Step(gone=("h1", "g1"), expect=(Holds("g2", 1, 2),)),
        ),
    ),
    Check(
        "portion.partly-held",
        "A device of which somebody holds a portion is given to nobody whole",
        "who names no amounts relies on having it alone",
        steps=(
            Step(
                (worker("w1", 4, devices=(_LARGE, device("other-0"))),),
                (_HOLDER, group("g2", 2, request=_WHOLE)),
                (_TWELVE,),
                expect=(Holds("g2", 1),),
            ),
        ),
    ),
    Check(
        "portion.exclusive",
        "A device that is not shareable goes to one slot, also where a request names an amount",
        "two slots would share a device that one has for itself",
        steps=(
            Step(
                (worker("w1", 4, devices=(_OWN,)),),
                (group("g1", 2, request=_FOUR),),
                expect=(Holds("g1", 1),),
            ),
        ),
    ),
    Check(
        "portion.left",
        "What is left of a shareable device is given to another group",
        "the rest of it would be idle",
        needs=_ABLE,
        steps=(
            Step(
                (worker("w1", 4, devices=(_LARGE,)),),
                (_HOLDER, group("g2", 2, request=_FOUR)),
                (_TWELVE,),
                expect=(Holds("g2", 1),),
            ),
        ),
    ),
    Check(
        "portion.several-slots",
        "Slots of one group share a device, which is named once for each of them",
        "the rest of it would be idle",
        needs=_ABLE,
        steps=(
            Step((worker("w1", 8, devices=(_LARGE,)),), (group("g1", 8, request=_FOUR),), expect=(Holds("g1", 4),)),
        ),
    ),
)
