"""Submitting runs and watching them as users do, while parts of the cluster die."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from crossfleet.api.types.v1 import run_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.errors import Unavailable
from tests.chaos.facts import Fact, fact, verdict
from tests.chaos.history import Case, Finding, History, Kind, judge
from tests.chaos.placements import Placements
from tests.chaos.suite import Suite

RUN_SECONDS = 600.0


@dataclass(frozen=True)
class Ended:
    """One run, judged. `again` counts executions beyond the first of a case: those of lost attempts."""

    run_id: str
    seconds: float
    outcomes: Mapping[Case, int]
    again: int
    findings: tuple[Finding, ...]


@dataclass
class Driver:
    """Runs of one suite, one after the other, on coordinators that may die at any moment. `client` knows all of them."""

    client: Client
    addresses: str
    suite: Suite
    seed: int
    placements: Placements = field(default_factory=Placements)
    _number: int = 0

    async def carried_out(self, seconds: float, expected: Mapping[Case, int]) -> Ended:
        """Submit, watch, read everything back, judge. Raises TimeoutError for a run that does not end.

        `seconds` a case on average. What is expected of an undisturbed run is nothing: it tells what is of others.
        """
        self._number += 1
        client, request_id, began = self.client, f"run-{self._number}", asyncio.get_running_loop().time()
        async with asyncio.timeout(RUN_SECONDS):
            spec = self.suite.spec(seconds)
            submitted = await client.runs.submit(spec, request_id=request_id)
            run_id, cursor = submitted.run.run_id, submitted.event_cursor
            cancelled = asyncio.ensure_future(self._cancelled(client, f"{request_id}-cancelled"))
            steady, restless = await asyncio.gather(
                self._steady(client, run_id, cursor), self._restless(run_id, cursor)
            )
            log = [fact(event) async for event in self._events(client, run_id, cursor)]
            records = [verdict(record) async for record in client.runs.cases(run_id)]
            again = await client.runs.submit(spec, request_id=request_id)
            findings = [*(await cancelled), *_same(run_id, again.run)]
        executed = defaultdict(list)
        for execution in self.suite.executions().get(run_id, ()):
            executed[execution.target, execution.case_id].append(execution.worker)
        outcomes = {record.case: record.outcome for record in records}
        watched = {"the steady watcher": steady, "the restless watcher": restless}
        findings += judge(History(log, watched, records, expected or outcomes, executed))
        return Ended(
            run_id,
            asyncio.get_running_loop().time() - began,
            outcomes,
            sum(len(workers) - 1 for workers in executed.values()),
            tuple(findings),
        )

    def _events(self, client: Client, run_id: str, cursor: str):
        return client.events.watch(after=cursor, run_id=run_id, until_finished=True)

    async def _steady(self, client: Client, run_id: str, cursor: str) -> list[Fact]:
        """One stream as long as the run, taken up again only where it breaks."""
        seen = []
        async for event in self._events(client, run_id, cursor):
            seen.append(fact(event))
            self.placements.note(seen[-1])
        self.placements.over()
        return seen

    async def _restless(self, run_id: str, cursor: str) -> list[Fact]:
        """Breaks off now and then, and goes on with its cursor by way of another coordinator."""
        chance = random.Random(f"{self.seed} {self._number}")
        seen: list[Fact] = []
        for first in range(1_000_000):
            try:
                async with (
                    asyncio.timeout(chance.uniform(0.5, 3.0)),
                    Client.open(self._beginning_with(first)) as client,
                ):
                    async with aclosing(self._events(client, run_id, cursor)) as events:
                        async for event in events:
                            seen.append(fact(event))
                            cursor = event.cursor
                    return seen
            except (TimeoutError, Unavailable):  # a client that nobody has answered yet gives up soon
                continue
        return seen

    def _beginning_with(self, number: int) -> Endpoint:
        """All coordinators, in another order."""
        addresses = self.addresses.split(",")
        number %= len(addresses)
        return Endpoint(",".join(addresses[number:] + addresses[:number]))

    async def _cancelled(self, client: Client, request_id: str) -> list[Finding]:
        """Submit another run and cancel it: what was acknowledged must have happened."""
        submitted = await client.runs.submit(self.suite.spec(0.01), request_id=request_id)
        run_id = submitted.run.run_id
        await client.runs.cancel(run_id, "by chaos")
        async for _ in self._events(client, run_id, submitted.event_cursor):
            pass
        run = await client.runs.get(run_id)
        if run.verdict != run_pb2.RUN_VERDICT_CANCELLED:
            return [Finding(Kind.NO_EFFECT, f"{run_id} was cancelled and ended as {run.verdict}")]
        return []


def _same(run_id: str, again: run_pb2.Run) -> list[Finding]:
    if again.run_id != run_id or again.state != run_pb2.RUN_STATE_FINISHED:
        return [Finding(Kind.NO_EFFECT, f"{run_id} was submitted again and answered {again.run_id} {again.state}")]
    return []
