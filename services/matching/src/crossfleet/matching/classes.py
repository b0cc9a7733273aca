"""Which classes of devices a request takes: read off the request, whatever workers there are."""

from collections import Counter

from crossfleet.matching.cel import Selector, SelectorError
from crossfleet.matching.fit import device_demands
from crossfleet.matching.model import SHARED_CLASSES, Request
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


def _compiled(text: str, selectors: Selectors) -> Selector | None:
    try:
        return selectors.compile(text)
    except SelectorError:  # It fits nowhere, and takes nothing.
        return None
