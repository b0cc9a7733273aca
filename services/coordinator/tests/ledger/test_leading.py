"""The writer of a leader: whose term may end at any moment, and whose database may be away."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.patience import Patience
from crossfleet.coordinator.ledger.store import CommitUnsettled, Observed, StoreAway
from crossfleet.coordinator.ledger.writer import LedgerRejected, LedgerWriter
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.ledger.scenario import finish, hello, plan, submit

SOON = Patience(refuse=0.05)
LONG = Patience(refuse=30.0)


@asynccontextmanager
async def writing(
    store: MemoryStore, patience: Patience = LONG, remaining: Callable[[], float] = lambda: math.inf
) -> AsyncIterator[LedgerWriter]:
    ledger = Ledger(store)
    ledger.open("leader")
    writer = LedgerWriter(ledger, lambda: 100.0, remaining=remaining, patience=patience)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def reason(command: Awaitable[Any]) -> str:
    """Why a command was refused."""
    with pytest.raises(LedgerRejected) as caught:
        await command
    return str(caught.value.rejection.reason)


class Away:
    """A database that answers nobody until it is `back`; what was sent before the cut may have arrived or not."""

    def __init__(self, store: MemoryStore, stage: str = "before", error: type[StoreAway] = StoreAway) -> None:
        self.tries = 0
        self.back = False
        self._stage, self._error = stage, error
        store.on_commit = self

    def __call__(self, stage: str, batch: object) -> None:
        if stage == "before":
            self.tries += 1
        if not self.back and stage == self._stage:
            raise self._error("no connection")

    async def tried(self, times: int = 2) -> None:
        await eventually(lambda: self.tries >= times, what="the writer tries again")


async def test_nothing_is_written_once_the_term_is_over() -> None:
    left = 1.0
    store = MemoryStore()
    async with writing(store, remaining=lambda: left) as writer:
        await writer.submit(submit("first"))
        left = 0.0

        assert await reason(writer.submit(submit("second"))) == "NOT_LEADER"
        assert (store.head().seq, writer.failed) == (1, "the term is over")


async def test_what_was_written_while_the_term_ended_is_answered_and_told_to_nobody() -> None:
    left = 1.0
    store = MemoryStore()
    told: list[int] = []

    def end_term(stage: str, batch: object) -> None:
        nonlocal left
        left = 0.0 if stage == "after" else left

    store.on_commit = end_term
    async with writing(store, remaining=lambda: left) as writer:
        writer.subscribe(lambda committed: told.append(committed.seq))

        assert await reason(writer.submit(submit())) == "NOT_LEADER"
        assert (store.head().seq, told) == (1, [])


async def test_a_deposed_writer_refuses_at_once_what_waits_for_a_database_that_hangs() -> None:
    store = MemoryStore()
    begun, release = threading.Event(), threading.Event()

    def hang(stage: str, batch: object) -> None:
        begun.set()
        release.wait(10)

    store.on_commit = hang
    async with writing(store) as writer:
        in_hand = asyncio.ensure_future(writer.submit(submit("first")))
        await asyncio.to_thread(begun.wait, 5)
        queued = asyncio.ensure_future(writer.submit(submit("second")))
        await asyncio.sleep(0)
        writer.depose("another one leads")

        assert [await reason(in_hand), await reason(queued)] == ["NOT_LEADER", "NOT_LEADER"]
        assert await writer.wait_failed() == "another one leads"
        release.set()


@pytest.mark.parametrize(
    ("stage", "error"), [("before", StoreAway), ("after", CommitUnsettled)], ids=["not written", "written, unknown"]
)
async def test_a_command_outlives_an_absence_of_the_database_and_takes_place_once(
    stage: str, error: type[StoreAway]
) -> None:
    store = MemoryStore()
    async with writing(store) as writer:
        away = Away(store, stage, error)
        waiting = asyncio.ensure_future(writer.submit(submit("run")))
        await away.tried()
        away.back = True

        assert (await waiting).run_id == "run"  # type: ignore[union-attr]
        assert store.head().seq == 1
        assert (await writer.submit(submit("next"))).run_id == "next"  # type: ignore[union-attr]


async def test_commands_wait_for_the_database_within_a_bound_and_then_nothing_of_them_is_recorded() -> None:
    store = MemoryStore()
    async with writing(store, SOON) as writer:
        away = Away(store)
        in_hand = asyncio.ensure_future(writer.submit(submit("in-hand")))
        await away.tried(1)
        queued = asyncio.ensure_future(writer.submit(submit("queued")))

        assert await reason(in_hand) == "COMMIT_UNSETTLED"
        assert await reason(queued) == "DATABASE_AWAY"
        assert await reason(writer.submit(submit("late"))) == "DATABASE_AWAY"

        away.back = True
        await eventually(lambda: store.head().seq == 1, what="what was in hand is written after all")
        again = await writer.submit(submit("in-hand"))
        assert again.run_id == "in-hand"  # type: ignore[union-attr]
        assert {row["run_id"] for row in store.rows["runs"].values()} == {"in-hand"}


async def test_a_leader_that_cannot_reach_the_database_gives_up_for_one_that_can() -> None:
    store = MemoryStore()
    async with writing(store, Patience(refuse=0.02, leave=0.05)) as writer:
        Away(store)
        waiting = asyncio.ensure_future(writer.submit(submit()))

        assert await writer.wait_failed() == "the database has not answered for 0.05 s"
        assert await reason(waiting) == "COMMIT_UNSETTLED"


async def test_a_database_that_hangs_while_durations_are_stored_is_noticed_as_at_a_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    begun, release = threading.Event(), threading.Event()

    def hang(observed: object, epoch: int) -> None:
        begun.set()
        release.wait(10)

    monkeypatch.setattr(store, "observe", hang)
    async with writing(store, Patience(refuse=0.5, leave=1.0)) as writer:
        for command in (submit("run", ("a", "b")), hello(), plan()):
            await writer.submit(command)
        for attempt in list(writer.state.attempts.values()):
            await writer.submit(finish(attempt))
        await asyncio.to_thread(begun.wait, 5)

        assert await reason(writer.submit(submit("next"))) == "DATABASE_AWAY"
        assert await writer.wait_failed() == "the database has not answered for 1 s"
        release.set()


async def test_a_hand_over_does_not_wait_for_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    stored = list[object]()
    monkeypatch.setattr(store, "observe", lambda observed, epoch: stored.append(observed))
    async with writing(store) as writer:
        writer._observed.extend(Observed("suite", [(str(number), 1.0)], 1.0) for number in range(100))
        await writer.finish(holding=True)
        writer.depose("it was handed over")

    assert len(stored) <= 1, "the one in hand"


async def test_going_down_does_not_wait_for_ever_for_the_database() -> None:
    store = MemoryStore()
    async with writing(store, Patience(refuse=0.2)) as writer:
        away = Away(store)
        waiting = asyncio.ensure_future(writer.submit(submit()))
        await away.tried(1)
        await writer.stop()

        assert await reason(waiting) in {"COMMIT_UNSETTLED", "NOT_LEADER"}
