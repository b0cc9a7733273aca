"""Plays a trace against one scheduler: lets time pass to where something can be placed, tells it, hears its plans."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import DescribeRequest, DescribeResponse, ScheduleResponse
from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from crossfleet.client.conformance.stream import Stream, StreamEnded
from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.errors import Unavailable
from crossfleet.foundation.retry import RetryPolicy, retrying
from crossfleet.matching.fits import MOST_PAIRS, Fits
from crossfleet.simulation.core.measures import Results, Spread
from crossfleet.simulation.core.simulation import Simulation
from crossfleet.simulation.fence import passed
from crossfleet.simulation.telling import Rows, Teller, plan_from
from crossfleet.simulation.trace.rows import Happening, Trace

_DESCRIBE_SECONDS = 10.0
# While somebody waits a scheduler is told so often that time passes, in seconds of the virtual clock: patience ends, budgets grow.
_BEAT_SECONDS = 60.0
# With a fleet that is idle and nothing to come, this is long enough to see that what waits is left waiting.
_LEFT_WAITING_SECONDS = 3 * _BEAT_SECONDS
# Who takes back at once what was just placed could go on for ever without a moment of time going by.
_MOST_ROUNDS = 1000
# As the coordinator does, what was refused is answered a little later: else who proposes it again would spin.
_REFUSED_SECONDS = 0.1


@dataclass(frozen=True)
class Pace:
    """How a scheduler is asked. Seconds of the virtual clock, but for `limit`.

    `cycle`: least time from one plan to the next; completions gather meanwhile. `grace`: after which what a revoked
    allocation still runs is ended; None: never. `limit`: how long a plan is waited for. `count_latency`: the time that
    a scheduler takes passes in the simulation too.
    """

    cycle: float = 1.0
    grace: float | None = None
    limit: float = 30.0
    count_latency: bool = False


@dataclass(frozen=True)
class Played:
    """A scheduler, what came of the trace under it, and how long its answers took, in seconds."""

    described: DescribeResponse
    results: Results
    latency: Spread


class Player:
    """One trace at one scheduler."""

    def __init__(self, stub: Any, simulation: Simulation, teller: Teller, pace: Pace, clock: Clock) -> None:
        """At the beginning of the trace."""
        self._stream = Stream(stub.Schedule())
        self._simulation, self._teller = simulation, teller
        self._pace, self._clock = pace, clock
        self._refused = False
        self.latencies = array("d")

    async def play(self, tell: Callable[[float], None]) -> None:
        """To the end. `tell` hears the virtual time, again and again. Raises StreamEnded."""
        simulation, fleet = self._simulation, self._simulation.fleet
        planned, busy_at = -self._pace.cycle, 0.0
        while True:
            due = simulation.due()
            at = self._next_plan(planned)
            if at is not None and (due is None or due > at):
                if due is not None or fleet.allocations or fleet.changes.pressing:
                    busy_at = at
                elif at - busy_at > _LEFT_WAITING_SECONDS:
                    return
                simulation.advance(at)
                planned = at
                await self._cycle()
                tell(simulation.now)
            elif due is not None:
                simulation.advance(due)
            else:
                return

    async def end(self) -> None:
        """Give the stream up."""
        await self._stream.end()

    def _next_plan(self, planned: float) -> float | None:
        """When a scheduler is asked next, unless more happens before; None while nobody waits."""
        fleet = self._simulation.fleet
        if not fleet.wanting:
            return None
        if fleet.changes.pressing:
            patience = self._pace.cycle
        else:
            patience = max(self._pace.cycle, _REFUSED_SECONDS) if self._refused else _BEAT_SECONDS
        return max(self._simulation.now, planned + patience)

    async def _cycle(self) -> None:
        """Ask and answer until nothing more is placed."""
        for _ in range(_MOST_ROUNDS):
            moved, self._refused = False, False
            for plan in await self._ask():
                outcome = self._simulation.apply(made := plan_from(plan))
                self._teller.answer(outcome, plan)
                moved |= bool(outcome.accepted or made.revoke)
                self._refused |= bool(outcome.refused)
            if not moved or not self._simulation.fleet.wanting:
                return

    async def _ask(self) -> list[ScheduleResponse]:
        """The plans that come for an update, up to the one that passes its fence."""
        update = self._teller.update()
        began, plans = self._clock.monotonic(), []
        await self._stream.write(update, self._pace.limit)
        while True:
            left = began + self._pace.limit - self._clock.monotonic()
            plan = await self._stream.next(left)
            if plan is None:
                raise StreamEnded(
                    f"the scheduler has not placed, within {self._pace.limit:g} s, a most urgent group that fits an idle "
                    "worker: so the simulation cannot know when it has planned"
                )
            plans.append(plan)
            self._teller.snapshot_next |= plan.request_snapshot
            if passed(plan, update.revision):
                break
            if plan.request_snapshot:
                update = self._teller.update()
                await self._stream.write(update, self._pace.limit)
        spent = self._clock.monotonic() - began
        self.latencies.append(spent)
        if self._pace.count_latency:
            self._simulation.advance(self._simulation.now + spent)
        return plans


async def describe(channel: grpc.aio.Channel) -> DescribeResponse:
    """Who a scheduler is; one that is away for a moment is asked again. Raises the CrossfleetError that it answers, Unavailable."""
    stub = SchedulerServiceStub(channel)
    # A busy machine may take longer to shake hands than gRPC waits for the first time.
    described: DescribeResponse = await retrying(
        lambda: stub.Describe(DescribeRequest(), timeout=_DESCRIBE_SECONDS),
        policy=RetryPolicy(attempts=6, first_delay=0.2, deadline=_DESCRIBE_SECONDS),
    )
    return described


async def play(
    channel: grpc.aio.Channel,
    happenings: Iterable[Happening],
    first: Trace,
    pace: Pace,
    *,
    tell: Callable[[float], None] = lambda now: None,
    clock: Clock | None = None,
) -> Played:
    """Play a trace, whose first line is `first`. Raises TraceError, Broken, Unavailable where the scheduler does not answer, and what `describe` raises."""
    described = await describe(channel)
    rows = Rows(happenings, first.priority_classes)
    simulation = Simulation(rows.arrivals(), first.project_weights, first.share_half_life_seconds, pace.grace)
    teller = Teller(
        simulation,
        rows,
        snapshots_only=described.snapshots_only,
        fits=Fits(most_new=MOST_PAIRS) if described.wants_fits else None,
    )
    player = Player(SchedulerServiceStub(channel), simulation, teller, pace, clock or SystemClock())
    try:
        await player.play(tell)
    except StreamEnded as ended:
        raise Unavailable(f"at {simulation.now:.1f} s of the trace: {ended}") from None
    finally:
        await player.end()
    return Played(described, simulation.results(), Spread.of(player.latencies))
