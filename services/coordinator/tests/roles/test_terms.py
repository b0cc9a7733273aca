"""The turns of a term, with charges that a test makes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import cast

import pytest

from crossfleet.coordinator.election.port import Leader, Term
from crossfleet.coordinator.roles.methods import Handlers
from crossfleet.coordinator.roles.terms import TakeOver, Terms
from crossfleet.foundation.draining import Draining
from services.coordinator.tests.roles.elections import MemoryElection, MemoryTerm, Urn


class FailedLedger:
    """A charge that fails as soon as it leads."""

    broken = False

    def __init__(self) -> None:
        self.served = 0

    def handlers(self) -> Handlers:
        self.served += 1
        return {}

    async def wait_failed(self) -> str:
        return "the ledger failed"

    def stop_deciding(self, cause: str) -> None:
        """Nothing was decided."""

    async def finish(self, *, holding: bool) -> None:
        """Nothing was taken."""

    def end_streams(self, cause: str) -> None:
        """Nobody is there."""


async def stand(urn: Urn, take_over: TakeOver) -> None:
    """One coordinator, until it drains."""
    draining = Draining()
    terms = Terms(MemoryElection(urn), draining, take_over, False, Leader("a", "unix:/a"), frozenset(), {})
    running = asyncio.ensure_future(terms.run())
    try:
        async with asyncio.timeout(10):
            while urn.elected < 2:
                await urn.changed.wait()
    finally:
        draining.begin("the test is over")
        await running


async def test_a_term_that_ended_during_the_take_over_is_never_begun() -> None:
    charge = FailedLedger()

    async def slow(stack: AsyncExitStack, term: Term) -> FailedLedger:
        cast("MemoryTerm", term).end("its lease is over")
        return charge

    await stand(Urn(), slow)

    assert charge.served == 0


async def test_another_coordinator_is_told_apart_by_its_address_where_both_have_one_name() -> None:
    """As in containers that share the name of their host, and are process 1 each."""
    urn, mine = Urn(), Leader("host:1", "host:7400")
    terms = Terms(MemoryElection(urn), Draining(), never, False, mine, frozenset(), {})
    urn.elect(Leader("host:1", "host:7401"))
    other = terms.refusal()
    urn.elect(mine)

    assert (other.reason, other.metadata["leader"]) == ("NOT_LEADER", "host:7401")
    assert terms.refusal().reason == "NO_LEADER"


async def never(stack: AsyncExitStack, term: Term) -> FailedLedger:
    """It does not stand."""
    raise AssertionError


@pytest.mark.parametrize("end", ["drained", "lost"])
async def test_a_take_over_that_hangs_is_given_up_with_its_term_and_when_the_coordinator_drains(end: str) -> None:
    urn, draining, given_up = Urn(), Draining(), list[int]()

    async def hang(stack: AsyncExitStack, term: Term) -> FailedLedger:
        try:
            if end == "lost" and not given_up:
                asyncio.get_running_loop().call_soon(cast("MemoryTerm", term).end, "its lease is over")
            else:
                draining.begin("SIGTERM")
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            given_up.append(urn.elected)

    terms = Terms(MemoryElection(urn), draining, hang, False, Leader("a", "unix:/a"), frozenset(), {})
    async with asyncio.timeout(10):
        await terms.run()

    assert given_up == ([1] if end == "drained" else [1, 2])
    assert urn.term is None, "it has resigned"


async def test_a_leader_whose_ledger_failed_lets_others_lead_while_it_still_puts_things_away() -> None:
    urn, left = Urn(), list[bool]()

    async def take_over(stack: AsyncExitStack, term: Term) -> FailedLedger:
        stack.callback(lambda: left.append(urn.term is None))
        return FailedLedger()

    await stand(urn, take_over)

    assert left[0], "it had resigned before"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfleet.coordinator.roles.terms._FIRST_PAUSE", 0.01)
