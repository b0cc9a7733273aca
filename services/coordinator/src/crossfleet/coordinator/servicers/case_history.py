"""What became of cases over the last runs."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.coordinator.convert import histories
from crossfleet.coordinator.ledger.history_queries import HistoryOrder
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.servicers.pages import decode, encode, fitting, page_size
from crossfleet.foundation.errors import FieldViolation, InvalidArgument

_RUNS, _MOST_RUNS = 100, 1000
_ORDERS = {order.value: order for order in HistoryOrder}


async def list_case_history(
    request: run_service.ListCaseHistoryRequest, queries: Queries
) -> run_service.ListCaseHistoryResponse:
    """A page. Raises InvalidArgument, PageTokenInvalid."""
    _check(request)
    size = page_size(request.page_size, 50, 1000)
    asked = run_service.ListCaseHistoryRequest()
    asked.CopyFrom(request)
    asked.page_token, asked.page_size = "", 0
    mark = ("case history", asked.SerializeToString(deterministic=True).hex())
    skip = (decode(request.page_token, (int,), *mark) or [0])[0]
    wanted = histories.wanted(request, min(request.max_runs or _RUNS, _MOST_RUNS))
    order = _ORDERS[request.order]
    page = await queries.case_history(wanted, order, skip=skip, limit=size, content=histories.content)
    found = [histories.case(key, history) for key, history in page.cases]
    count = fitting(found)
    more = page.more or count < len(found)
    # Cases that nobody executed are passed over, but were looked at.
    looked_at = size if count == len(found) else count
    return run_service.ListCaseHistoryResponse(
        cases=found[:count], runs=page.runs, next_page_token=encode([skip + looked_at], *mark) if more else ""
    )


def _check(request: run_service.ListCaseHistoryRequest) -> None:
    wrong = []
    if len(request.pattern.encode()) > 500:
        wrong.append(FieldViolation("pattern", "at most 500 bytes"))
    if request.max_runs < 0:
        wrong.append(FieldViolation("max_runs", f"0 (for {_RUNS}) to {_MOST_RUNS}"))
    if request.order not in _ORDERS:
        wrong.append(FieldViolation("order", "a known CaseHistoryOrder"))
    if wrong:
        raise InvalidArgument("the history cannot be looked up", fields=wrong)
