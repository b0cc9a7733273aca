"""What RunService says of the duration model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1.suite_pb2 import CaseDuration
from crossfleet.coordinator.artifacts.durations import credible
from crossfleet.coordinator.convert.checks import NAME, NAME_RULE, Checks
from crossfleet.coordinator.ledger.observing import duration_key
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.servicers.pages import decode, encode, fitting, page_size

MOST_IMPORTED = 10_000

Learn = Callable[[str, Sequence[tuple[str, float]]], Awaitable[None]]
"""Takes seconds by case id into the model of a suite; returns once they are durable."""


async def list_durations(
    queries: Queries, request: run_service.ListDurationsRequest
) -> run_service.ListDurationsResponse:
    """A page of medians by case id. Raises InvalidArgument, PageTokenInvalid."""
    key = _key(request.history)
    size = page_size(request.page_size, 1000, 10_000)
    after = decode(request.page_token, (str,), "durations", key)
    rows = await queries.durations(key, after[0] if after else "", size + 1)
    found = [CaseDuration(case_id=case_id, seconds=seconds) for case_id, seconds in rows[:size]]
    count = fitting(found)
    token = encode([rows[count - 1][0]], "durations", key) if len(rows) > count else ""
    return run_service.ListDurationsResponse(cases=found[:count], next_page_token=token)


async def import_durations(
    learn: Learn, request: run_service.ImportDurationsRequest
) -> run_service.ImportDurationsResponse:
    """Each case counts as one more execution. Raises InvalidArgument where one cannot be true."""
    key = _key(request.history)
    checks = Checks()
    checks.require(len(request.cases) <= MOST_IMPORTED, "cases", f"at most {MOST_IMPORTED:,} a call")
    true = credible(request.cases)
    for index, case in enumerate(request.cases):
        allowed = "an id that comes once, with more than 0 and at most 604,800 seconds"
        if not checks.require(case.case_id in true, f"cases[{index}]", allowed):
            break
    checks.finish("the durations")
    await learn(key, sorted(true.items()))
    return run_service.ImportDurationsResponse()


def _key(history: run_service.History) -> str:
    checks = Checks()
    project, runner, device = history.project or "default", history.runner or "pytest", history.device_class or "cpu"
    checks.name(project, "history.project")
    checks.size(history.suite, "history.suite", 200)
    checks.require(bool(history.suite), "history.suite", "the suite's name, by default that of its folder")
    checks.name(runner, "history.runner")
    checks.name(device, "history.device_class")
    checks.require(not history.build or NAME.fullmatch(history.build) is not None, "history.build", NAME_RULE)
    checks.finish("the history")
    return duration_key(project, history.suite, runner, device, history.build)
