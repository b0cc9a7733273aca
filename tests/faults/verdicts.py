"""What a finished run says about itself, compared with what its suite did."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.client import Client
from crossfleet.client.outage import nobody
from tests.faults.gated import GatedSuite

HOST_LOST = result_pb2.CAUSE_HOST_LOST


RUN_SECONDS = 40.0


async def watched(
    client: Client, submitted: run_service.SubmitRunResponse, tell: Callable[[str], None] = nobody
) -> list[event_pb2.Event]:
    """All events of a run to its end, resumed by cursor wherever the coordinator went away, of which `tell` hears."""
    run_id = submitted.run.run_id
    events: list[event_pb2.Event] = []
    try:
        async with asyncio.timeout(RUN_SECONDS):
            async for event in client.events.watch(
                after=submitted.event_cursor, run_id=run_id, until_finished=True, tell=tell
            ):
                events.append(event)  # noqa: PERF401 - what came before a time-out is shown
    except TimeoutError:
        run = await client.runs.get(run_id)
        attempts = [attempt async for attempt in client.runs.attempts(run_id)]
        waiting = [record.case_id async for record in client.runs.cases(run_id) if not record.outcome]
        pytest.fail(f"the run did not end: {run.targets}\nwithout a verdict: {waiting}\n{attempts}", pytrace=False)
    return events


async def check_all_passed_once(
    client: Client, events: Sequence[event_pb2.Event], suite: GatedSuite
) -> list[result_pb2.CaseRecord]:
    """Every case passed, was told once and stands once in the ledger; answers the records."""
    run = events[-1].run_finished.run
    assert run.verdict == run_pb2.RUN_VERDICT_PASSED, run
    assert (run.counts.total, run.counts.passed, run.counts.pending) == (suite.total, suite.total, 0)
    told = Counter(case.case_id for event in events for case in event.cases_finished.cases)
    assert set(told.values()) == {1}, told
    assert len(told) == suite.total
    records = [record async for record in client.runs.cases(run.run_id)]
    assert sorted(record.case_id for record in records) == sorted(told)
    return records


def gated(records: Sequence[result_pb2.CaseRecord], number: int = 0) -> result_pb2.CaseRecord:
    """The record of a gated case."""
    return next(record for record in records if record.case_id.endswith(f"::test_gated[{number}]"))


async def causes(client: Client, run_id: str) -> dict[str, set[int]]:
    """The causes with which attempts ended, by worker."""
    found: dict[str, set[int]] = {}
    async for attempt in client.runs.attempts(run_id):
        found.setdefault(attempt.worker_id, set()).add(attempt.cause)
    return found
