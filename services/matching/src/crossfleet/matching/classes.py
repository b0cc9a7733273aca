"""Which classes of devices a request takes: read off the request, whatever workers there are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from crossfleet.matching.cel import Selector, SelectorError
from crossfleet.matching.fit import device_demands
from crossfleet.matching.model import SHARED_CLASSES, Request
from crossfleet.matching.names import suggestion
from crossfleet.matching.pinned import pinned_class
from crossfleet.matching.selectors import Selectors

UNKNOWN = ""
"""The class of devices of which a request does not say it."""


def devices_by_class(request: Request, selectors: Selectors) -> dict[str, int]:
    """How many devices each slot takes for itself, by class, in the order of the names."""
    whole = _compiled(request.selector, selectors)
    found: Counter[str] = Counter()
    for demand in request.devices if whole is None else device_demands(request, whole):
        own = _compiled(demand.selector, selectors)
        pinned = (pinned_class(one) for one in (own, whole) if one is not None)
        name = demand.device_class or next(filter(None, pinned), UNKNOWN)
        if name not in SHARED_CLASSES:
            found[name] += demand.count
    return dict(sorted(found.items()))


def most_by_class(several: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """What suffices for each of several ways to take devices. One of unknown class may be of any."""
    unknown = max((one.get(UNKNOWN, 0) for one in several), default=0)
    found = {UNKNOWN: unknown} if unknown else {}
    for name in sorted({name for one in several for name in one} - {UNKNOWN}):
        more = max(one.get(name, 0) + one.get(UNKNOWN, 0) for one in several) - unknown
        if more > 0:
            found[name] = more
    return found


def misspelt_classes(request: Request, known: Collection[str], selectors: Selectors) -> dict[str, str]:
    """The classes of which devices are asked for, none of the ``known`` and nearly one, by name; and which is meant."""
    named = devices_by_class(request, selectors).keys() - {UNKNOWN}
    hints = {name: suggestion(name, known) for name in sorted(named.difference(known))}
    return {name: hint for name, hint in hints.items() if hint}


def _compiled(text: str, selectors: Selectors) -> Selector | None:
    try:
        return selectors.compile(text)
    except SelectorError:  # It fits nowhere, and takes nothing.
        return None
