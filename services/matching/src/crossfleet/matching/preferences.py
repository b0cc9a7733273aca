"""How much of what a request prefers a worker has, and how much of what it would rather not."""

import math

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.model import BLOCKING_CONDITIONS, Request, WorkerView
from crossfleet.matching.selectors import Selectors


def score(request: Request, worker: WorkerView, selectors: Selectors) -> int:
    """The weights of the preferences that hold on a worker, in sum. One that does not compile holds nowhere."""
    return sum(wish.weight for wish in request.preferred if _holds(wish.selector, request, worker, selectors))


def burden(name: str, worker: WorkerView) -> float:
    """How much a slot of a worker has of what is wanted least, such as ``cost_per_hour`` or ``watts``.

    A label of that name is of the whole worker. Without one its devices are added up. A worker of which nothing is known
    has more than any other.
    """
    told = _number(worker.labels[name]) if name in worker.labels else None
    if told is None:
        amounts = [_number(one.attributes.get(name, one.capacities.get(name))) for one in worker.devices]
        known = [one for one in amounts if one is not None]
        told = sum(known) if known else None
    return math.inf if told is None else told / max(worker.slots_total, 1)


def _number(value: object) -> float | None:
    """What is no finite number from 0 on says nothing."""
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _holds(text: str, request: Request, worker: WorkerView, selectors: Selectors) -> bool:
    try:
        selector = selectors.compile(text)
    except SelectorError:
        return False
    if not selector.uses_device:
        return selectors.answer(selector, worker).holds
    usable = (one for one in worker.devices if not (one.conditions & BLOCKING_CONDITIONS) - request.tolerations)
    return any(selectors.answer(selector, worker, device).holds for device in usable)
