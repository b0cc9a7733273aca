"""Planted bugs of elections, take-overs and what is adopted: one function each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from crossfleet.coordinator.core import tenure
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.election.roll import Roll
from crossfleet.coordinator.election.session import Session
from crossfleet.coordinator.ledger import ledger, memory
from crossfleet.coordinator.ledger.loading import rebuild
from crossfleet.coordinator.ledger.store import Head
from crossfleet.coordinator.sessions import fleet
from crossfleet.coordinator.sessions.reconciliation import reconcile
from crossfleet.worker.core.link import Link
from crossfleet.worker.core.window import Window
from tests.simulation.leading import Leading
from tests.simulation.mutant import Mutant


def _lead_until_told() -> Iterator[Any]:
    """The leader waits for etcd's word rather than for its own clock."""
    yield patch.object(tenure.Tenure, "remaining", lambda self, now: 0.0 if self.ended else self.ttl)


def _no_margin() -> Iterator[Any]:
    """Whose clock is slow believes in its lease for longer than etcd does."""
    yield patch.object(tenure, "MARGIN", 0.0)


def _count_from_the_answer() -> Iterator[Any]:
    """An answer that was long on its way makes the lease longer than it is."""
    renewed = tenure.Tenure.renewed
    yield patch.object(tenure.Tenure, "renewed", lambda self, sent, ttl, now: renewed(self, now, ttl, now))
    yield patch.object(tenure, "MARGIN", 0.05)


def _order_by_name() -> Iterator[Any]:
    """A newcomer whose key sorts before the leader's takes itself for elected."""
    yield patch.object(Roll, "first", property(lambda self: min(self._places, default=b"")))


def _ignore_the_queue() -> Iterator[Any]:
    """Whoever has written its key takes itself for elected, by and by."""

    def last(self: Roll) -> bytes:
        return max(self._places, key=lambda key: self._places[key].create_revision, default=b"")

    yield patch.object(Roll, "first", property(last))


def _resume_over_a_restore() -> Iterator[Any]:
    """Who stands is not asked anew when a watch stands again."""
    follow = Roll._list

    async def once(self: Roll) -> None:
        if not self.revision:
            await follow(self)

    yield patch.object(Roll, "_list", once)


def _take_over_late() -> Iterator[Any]:
    """Who slept between its election and the take-over is not turned away."""
    yield patch.object(Head, "admits", lambda self, cluster, revision: True)


def _keep_the_epoch() -> Iterator[Any]:
    """Two leaders write under one epoch."""
    take_over = memory.MemoryStore.take_over

    def same(self: memory.MemoryStore, leader: str, cluster: str, revision: int) -> Head:
        head = take_over(self, leader, cluster, revision)
        self._head = replace(head, epoch=max(1, head.epoch - 1))
        return self._head

    yield patch.object(memory.MemoryStore, "take_over", same)


def _answer_before_commit() -> Iterator[Any]:
    """Commands are answered while their batch is on its way."""

    def hasty(self: ledger.Ledger, commands: Any, prepared: Any) -> None:
        asyncio.get_running_loop().call_later(0.005, self.store.commit, prepared.batch)

    yield patch.object(ledger.Ledger, "write", hasty)


def _adopt_nothing() -> Iterator[Any]:
    """What workers run is ended by whoever takes over."""

    def orphaning(state: Any, worker_id: str, held: Any, specs: Any) -> Any:
        held = list(held)
        running = tuple(attempt for one in held for attempt in one.attempt_ids)
        return replace(reconcile(state, worker_id, held, specs), cancel=running)

    yield patch.object(fleet, "reconcile", orphaning)


def _adopt_twice() -> Iterator[Any]:
    """What workers run is assigned to others at once."""
    begin = fleet.FleetSessions.__post_init__

    def impatient(self: fleet.FleetSessions) -> None:
        begin(self)
        for worker in self.state.workers.values():
            if worker.state is not WorkerState.LOST:
                self.leases.begin(worker.worker_id, worker.session_id, -1e9)

    yield patch.object(fleet.FleetSessions, "__post_init__", impatient)


def _forget_requests() -> Iterator[Any]:
    """The next leader does not know which requests were answered."""

    def forgetful(stored: Any) -> Any:
        state = rebuild(stored)
        state.requests.clear()
        return state

    yield patch.object(ledger, "rebuild", forgetful)


def _give_tokens_again() -> Iterator[Any]:
    """The next leader counts attempts from the last that is live."""

    def modest(stored: Any) -> Any:
        state = rebuild(stored)
        state.next_attempt = max(state.attempts, default=0) + 1
        return state

    yield patch.object(ledger, "rebuild", modest)


def _drop_what_is_not_acknowledged() -> Iterator[Any]:
    """What was sent to the last leader is taken for received by the next."""
    begin = Window.begin

    def trusting(self: Window, committed: int) -> Any:
        return begin(self, self._kept[-1].sequence if self._kept else committed)

    yield patch.object(Window, "begin", trusting)


def _forget_with_the_session() -> Iterator[Any]:
    """A lost session takes the results along that were on their way."""

    def careless(self: Link) -> None:
        self.connected = False
        self.window._kept.clear()

    yield patch.object(Link, "lost", careless)


def _stay_when_lost() -> Iterator[Any]:
    """A leader that could not renew in time goes on when it can again.

    Whatever it commits on its own account would meet the fence and end it, so it forgets no workers meanwhile.
    """

    async def stubborn(self: Session) -> None:
        await asyncio.Event().wait()

    async def forget_nobody(self: Leading) -> None:
        return None

    yield patch.object(Session, "wait_ended", stubborn)
    yield patch.object(Leading, "_forget", forget_nobody)


CLUSTER_MUTANTS: dict[str, Mutant] = {
    "lead-until-told": Mutant(_lead_until_told, 23),
    "no-margin": Mutant(_no_margin, 60),
    "count-from-the-answer": Mutant(_count_from_the_answer, 199),
    "order-by-name": Mutant(_order_by_name, 9),
    "ignore-the-queue": Mutant(_ignore_the_queue, 0),
    "resume-over-a-restore": Mutant(_resume_over_a_restore, 28),
    "take-over-late": Mutant(_take_over_late, 20),
    "keep-the-epoch": Mutant(_keep_the_epoch, 0),
    "answer-before-commit": Mutant(_answer_before_commit, 0),
    "adopt-nothing": Mutant(_adopt_nothing, 0),
    "adopt-twice": Mutant(_adopt_twice, 1),
    "forget-requests": Mutant(_forget_requests, 0),
    "give-tokens-again": Mutant(_give_tokens_again, 8),
    "drop-what-is-not-acknowledged": Mutant(_drop_what_is_not_acknowledged, 1),
    "forget-with-the-session": Mutant(_forget_with_the_session, 9),
    "stay-when-lost": Mutant(_stay_when_lost, 49),
}
