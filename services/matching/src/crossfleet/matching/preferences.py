"""How much of what a request prefers a worker has."""

from crossfleet.matching.cel import SelectorError
from crossfleet.matching.model import BLOCKING_CONDITIONS, Request, WorkerView
from crossfleet.matching.selectors import Selectors


def score(request: Request, worker: WorkerView, selectors: Selectors) -> int:
    """The weights of the preferences that hold on a worker, in sum. One that does not compile holds nowhere."""
    return sum(wish.weight for wish in request.preferred if _holds(wish.selector, request, worker, selectors))


def _holds(text: str, request: Request, worker: WorkerView, selectors: Selectors) -> bool:
    try:
        selector = selectors.compile(text)
    except SelectorError:
        return False
    if not selector.uses_device:
        return selectors.answer(selector, worker).holds
    usable = (one for one in worker.devices if not (one.conditions & BLOCKING_CONDITIONS) - request.tolerations)
    return any(selectors.answer(selector, worker, device).holds for device in usable)
