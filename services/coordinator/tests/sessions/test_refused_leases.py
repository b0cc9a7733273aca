"""Leases whose changes cannot be committed at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.sessions.fleet import FleetSessions
from crossfleet.coordinator.sessions.leases import Leases
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import DatabaseAway
from crossfleet.foundation.ids import SequentialIds
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.core.fleet import Fleet


class Ledger:
    """Refuses commands of a kind as often as told, and keeps all that it was asked."""

    def __init__(self, kind: type, times: int) -> None:
        self.asked: list[c.Command] = []
        self._kind, self._left = kind, times

    async def commit(self, command: c.Command) -> None:
        self.asked.append(command)
        if isinstance(command, self._kind) and self._left:
            self._left -= 1
            raise DatabaseAway("the database has not answered for 10 s")

    def of(self, kind: type) -> int:
        """How often it was asked for a kind."""
        return sum(isinstance(one, kind) for one in self.asked)


def known() -> State:
    fleet = Fleet()
    fleet.join("w1", session="s1")
    return fleet.state


@asynccontextmanager
async def watching(
    ledger: Ledger, clock: ManualClock, awaits: frozenset[str] = frozenset()
) -> AsyncIterator[FleetSessions]:
    async def record(command: Any) -> None:
        """No collections here."""

    sessions = FleetSessions(ledger.commit, record, 1, Leases(4.0), clock, SequentialIds(), known(), awaits)
    watch = asyncio.ensure_future(sessions.watch_leases())
    try:
        yield sessions
    finally:
        watch.cancel()


async def until(ledger: Ledger, clock: ManualClock, kind: type, times: int) -> None:
    """Time passes until the ledger was asked so often."""

    def asked() -> bool:
        clock.advance(0.25)
        return ledger.of(kind) >= times

    await eventually(asked, what=f"{times} times {kind.__name__}")


@pytest.mark.parametrize("refusals", [1, 3])
async def test_a_worker_that_is_lost_while_the_database_is_away_is_lost_when_it_is_back(refusals: int) -> None:
    ledger, clock = Ledger(c.WorkerLost, refusals), ManualClock(1_000.0)
    async with watching(ledger, clock) as sessions:
        await until(ledger, clock, c.WorkerLost, refusals + 1)
        assert await eventually(lambda: not sessions.leases.living("w1"), what="the end of its lease")


async def test_a_worker_that_is_heard_again_while_the_database_is_away_does_not_stay_suspect() -> None:
    ledger, clock = Ledger(c.WorkerHeard, 1), ManualClock(1_000.0)
    async with watching(ledger, clock) as sessions:
        await until(ledger, clock, c.WorkerSilent, 1)
        for times in (1, 2):
            assert sessions.leases.heard("w1", "s1", clock.monotonic())
            sessions._spawn(c.WorkerHeard("w1", "s1"))
            await eventually(lambda times=times: ledger.of(c.WorkerHeard) == times, what="the news")  # type: ignore[misc]
        assert not sessions.leases.heard("w1", "s1", clock.monotonic())


@pytest.mark.parametrize(("awaited", "lost"), [("w1", 0), ("w2", 1)])
async def test_a_worker_of_a_fleet_that_has_ended_is_lost_at_once_and_one_that_may_come_back_is_not(
    awaited: str, lost: int
) -> None:
    ledger, clock = Ledger(c.WorkerLost, 0), ManualClock(1_000.0)
    async with watching(ledger, clock, frozenset({awaited})) as sessions:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (ledger.of(c.WorkerLost), sessions.leases.living("w1")) == (lost, not lost)
        await until(ledger, clock, c.WorkerLost, 1)
    assert [(one.worker_id, one.blames) for one in ledger.asked if isinstance(one, c.WorkerLost)] == [("w1", False)]
