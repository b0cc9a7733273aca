"""Submits a session's suite to a fleet and tells its cases as they get their verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from crossfleet.api.coordinator.v1 import event_service_pb2 as wire
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.handover.reports import needs_result
from crossfleet.cli.handover.telling import Telling
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.matrix import plan_targets
from crossfleet.cli.running.options import RunOptions
from crossfleet.cli.running.perform import make_spec, unless_fleet_ends
from crossfleet.cli.running.planning import RunPlan
from crossfleet.cli.running.session import CANCEL_SECONDS, Interrupts
from crossfleet.cli.running.settled import LAST_WORDS_SECONDS, MOST_SECONDS, sessions_ended
from crossfleet.cli.running.sharding import Sharding
from crossfleet.cli.running.view import NullView
from crossfleet.client import Client, Endpoint

_RESULTS_AT_ONCE = 16


async def follow_run(
    options: RunOptions, command: Command, python: str, endpoint: Endpoint, fleet: HeldFleet | None, telling: Telling
) -> run_pb2.Run:
    """The finished run. Raises KeyboardInterrupt after Ctrl-C, once the run is cancelled, and the fleet's error."""
    own = fleet is not None and not fleet.joined
    interrupts = Interrupts()
    try:
        async with Client.open(endpoint) as client:
            plan, sharding = RunPlan(command, plan_targets(options), python), Sharding.of(options)
            spec = await make_spec(client, options, plan, endpoint, sharding, own=own)
            answer = await client.runs.submit(spec)
            watching = asyncio.ensure_future(_watch(client, answer.run.run_id, answer.event_cursor, telling))
            cancelling = asyncio.ensure_future(_cancel_when_asked(client, answer.run.run_id, interrupts))
            try:
                run = await unless_fleet_ends(_first(watching, cancelling), fleet, NullView())
            finally:
                cancelling.cancel()
            if interrupts.asked.is_set():
                raise KeyboardInterrupt
            # Plugins that look at what the slots left (coverage data, caches) come right after this.
            in_place = spec.workspace.HasField("local_path")
            await sessions_ended(client, run.run_id, MOST_SECONDS if in_place else LAST_WORDS_SECONDS)
            return run
    finally:
        interrupts.close()


def _first(watching: asyncio.Future[run_pb2.Run], cancelling: asyncio.Future[None]) -> asyncio.Future[run_pb2.Run]:
    async def first() -> run_pb2.Run:
        await asyncio.wait((watching, cancelling), return_when=asyncio.FIRST_COMPLETED)
        if not watching.done():
            watching.cancel()
            raise KeyboardInterrupt
        return watching.result()

    return asyncio.ensure_future(first())


async def _cancel_when_asked(client: Client, run_id: str, interrupts: Interrupts) -> None:
    """Ends at the second interrupt, or when a cancelled run has not ended in time."""
    await interrupts.asked.wait()
    await client.runs.cancel(run_id, "interrupted")
    try:
        await asyncio.wait_for(interrupts.leave.wait(), CANCEL_SECONDS)
    except TimeoutError:
        return


async def _watch(client: Client, run_id: str, cursor: str, telling: Telling) -> run_pb2.Run:
    async for event in client.events.watch(after=cursor, run_id=run_id, until_finished=True):
        kind = event.WhichOneof("kind")
        if kind == "cases_collected":
            telling.collected(event.cases_collected.cases, event.cases_collected.deselected, run_id)
        elif kind == "cases_finished":
            await _tell(client, run_id, event.cases_finished, telling)
        elif kind == "run_finished":
            return event.run_finished.run
    return await client.runs.get(run_id)


async def _tell(client: Client, run_id: str, fact: wire.CasesFinished, telling: Telling) -> None:
    cases = list(fact.cases)
    for start in range(0, len(cases), _RESULTS_AT_ONCE):
        some = cases[start : start + _RESULTS_AT_ONCE]
        for case, result in zip(some, await _results(client, run_id, some), strict=True):
            telling.case(case, result)


async def _results(
    client: Client, run_id: str, cases: Sequence[result_pb2.CaseRecord]
) -> Sequence[result_pb2.CaseResult]:
    async def of(case: result_pb2.CaseRecord) -> result_pb2.CaseResult:
        if not needs_result(case):
            return result_pb2.CaseResult()
        return (await client.runs.case(run_id, case.case_id, target=case.target)).result

    return await asyncio.gather(*map(of, cases))
