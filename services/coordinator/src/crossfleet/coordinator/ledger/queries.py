"""Reads of what is committed, for servicers: a connection and a thread of their own, pages, no locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from crossfleet.coordinator.ledger import (
    case_queries,
    event_queries,
    execution_queries,
    exporting,
    fleet_queries,
    history,
    history_queries,
    run_queries,
)
from crossfleet.coordinator.ledger.engines import sqlite_reader
from crossfleet.coordinator.ledger.event_queries import CursorExpired
from crossfleet.coordinator.ledger.exporting import Portion
from crossfleet.coordinator.ledger.failures import failure_of
from crossfleet.coordinator.ledger.history_places import HistoryFilter
from crossfleet.coordinator.ledger.history_queries import HistoryOrder, HistoryPage
from crossfleet.coordinator.ledger.rows import (
    ArtifactRow,
    AttemptRow,
    CaseRow,
    GroupRow,
    HeldRow,
    OpenWork,
    ProcessRow,
    RunRow,
    StoredEvent,
    WaitingArtifactRow,
    WorkerRow,
)
from crossfleet.coordinator.ledger.store import Head, StoreAway
from crossfleet.foundation.errors import Unavailable

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.postgres import PostgresAddress

_T = TypeVar("_T")

_RETRY_SECONDS = 1.0
# A server that is frozen, not dead, answers nothing and refuses nothing.
_ANSWER_SECONDS, _HISTORY_SECONDS = 15.0, 60.0
_CLOSE_SECONDS = 1.0

__all__ = ["CursorExpired", "Queries"]


class Queries:
    """Every method sees one commit. Followers use it too. Raises Unavailable while the database is away, StoreFailed when SQL fails otherwise."""

    def __init__(
        self,
        engine: Engine,
        histories: Engine,
        another: Callable[[], Engine],
        *,
        limits: tuple[float | None, float | None] = (None, None),
    ) -> None:
        """The schema must exist. Histories take up to seconds: they have a connection and a thread of their own.

        `another` makes one more engine, for an export. `limits`: seconds that a query and a history may take; none
        where nothing but a file of this machine is waited for.
        """
        self._another = another
        self._main = _Reader(engine, ThreadPoolExecutor(1, "queries"), limits[0])
        self._histories = _Reader(histories, ThreadPoolExecutor(1, "histories"), limits[1])

    @classmethod
    def sqlite(cls, path: str | Path) -> Queries:
        """Read the file of a SqlStore, without ever writing."""
        return cls(sqlite_reader(str(path)), sqlite_reader(str(path)), lambda: sqlite_reader(str(path)))

    @classmethod
    def postgres(cls, address: PostgresAddress) -> Queries:
        """Read a PostgreSQL database. Raises StoreRefused for a wrong address; connections are made when they are needed."""
        from crossfleet.coordinator.ledger.postgres import reading  # a tenth of a cold start

        limits = (_ANSWER_SECONDS, _HISTORY_SECONDS)
        return cls(reading(address), reading(address), lambda: reading(address), limits=limits)

    def close(self) -> None:
        """Let go of the connections; of one on which a server keeps an answer back, without waiting for that for long."""
        closing = [reader.thread.submit(reader.engine.dispose) for reader in (self._main, self._histories)]
        wait(closing, timeout=_CLOSE_SECONDS)
        for reader in (self._main, self._histories):
            reader.thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, run_id: str) -> RunRow | None:
        """One run, None where there is none."""
        return await self._ask(run_queries.run, run_id)

    async def run_of_request(self, request_id: str) -> RunRow | None:
        """The run that a request id made."""
        return await self._ask(run_queries.run_of_request, request_id)

    async def runs(
        self,
        project: str = "",
        states: Sequence[int] = (),
        limit: int = 50,
        before: tuple[float, str] | None = None,
    ) -> list[RunRow]:
        """Runs, newest first; `before` is (created_at, run_id) of the last of the page before."""
        return await self._ask(run_queries.runs, project, states, limit, before)

    async def groups(self, run_id: str) -> list[GroupRow]:
        """The groups of a run, in the order of its matrix."""
        return await self._ask(run_queries.groups, run_id)

    async def cost(self, run_id: str) -> float | None:
        """What a run's slots have cost; None where nobody said."""
        return await self._ask(run_queries.cost, run_id)

    async def attempts(self, run_id: str, after: int = 0, limit: int = 1000) -> list[AttemptRow]:
        """Attempts of a run with larger ids than `after`."""
        return await self._ask(run_queries.attempts, run_id, after, limit)

    async def artifacts(self, run_id: str, after: tuple[str, str] = ("", ""), limit: int = 100) -> list[ArtifactRow]:
        """Artifacts by target and name; `after` names the last of the page before."""
        return await self._ask(run_queries.artifacts, run_id, after, limit)

    async def waiting_artifacts(self, run_id: str, limit: int) -> list[WaitingArtifactRow]:
        """Artifacts that workers still keep, by target and name."""
        return await self._ask(run_queries.waiting_artifacts, run_id, limit)

    async def workers(self) -> list[WorkerRow]:
        """All workers that joined once, by name."""
        return await self._ask(run_queries.workers)

    async def held(self) -> list[HeldRow]:
        """Allocations that are open, by worker and id."""
        return await self._ask(fleet_queries.held)

    async def open_work(self) -> OpenWork:
        """How much is not finished."""
        return await self._ask(fleet_queries.open_work)

    async def head(self) -> Head:
        """The head row."""
        return await self._ask(run_queries.head)

    async def cases(
        self,
        run_id: str,
        target: str = "",
        outcomes: Sequence[int] = (),
        after: tuple[int, int] | None = None,
        limit: int = 1000,
        *,
        payloads: bool = False,
    ) -> list[CaseRow]:
        """Cases by target and index; `after` is (position, case_index) of the last of the page before."""
        return await self._ask(case_queries.cases, run_id, target, outcomes, after, limit, payloads)

    async def case(self, run_id: str, target: str, case_id: str) -> CaseRow | None:
        """One case with its full result; an empty target stands for the first."""
        return await self._ask(case_queries.case, run_id, target, case_id)

    async def failure_of(self, case: CaseRow) -> CaseRow:
        """The execution of a case that says how it failed; the one that counts, where none failed before it."""
        return await self._ask(execution_queries.failure_of, case)

    async def process_of(self, case: CaseRow) -> ProcessRow | None:
        """The process of a slot that executed a case; None where none did."""
        return await self._ask(execution_queries.process_of, case)

    async def executions(self, process: ProcessRow, until: int, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        """What a process executed, by place: behind `after`, up to and with `until`."""
        return await self._ask(execution_queries.executions, process, until, after, limit)

    async def estimates(self, key: str, kindred: Sequence[str], case_ids: Sequence[str]) -> tuple[float, ...]:
        """Expected seconds of each case, 0.0 where nothing is known; empty when nothing is known of any.

        `key` is that of the history, `kindred` are those that what it lacks may be borrowed from.
        """
        return await self._ask(case_queries.estimates, key, kindred, case_ids)

    async def time_limits(self, key: str, kindred: Sequence[str], case_ids: Sequence[str]) -> tuple[float, ...]:
        """Learnt time limits of each case in seconds, 0.0 where nothing is known; empty when nothing is known of any."""
        return await self._ask(case_queries.time_limits, key, kindred, case_ids)

    async def case_history(
        self,
        wanted: HistoryFilter,
        order: HistoryOrder,
        *,
        skip: int,
        limit: int,
        content: Callable[[bytes, str], str],
    ) -> HistoryPage:
        """Histories of cases, after the first `skip`. `content(spec, target)` names what a run has tested."""
        arguments = (wanted, order, skip, limit, content)
        return await _answered(self._histories, history_queries.case_history, arguments)

    async def durations(self, suite_key: str, after: str, limit: int) -> list[tuple[str, float]]:
        """Case ids after `after` with their expected seconds."""
        return await self._ask(history.page_of_durations, suite_key, after, limit)

    async def events(self, after: tuple[int, int], run_id: str = "", limit: int = 1000) -> list[StoredEvent]:
        """Facts after a cursor, whole commits, about `limit` of them. Raises CursorExpired."""
        return await self._ask(event_queries.events, after, run_id, limit)

    async def export(self) -> AsyncIterator[Head | Portion]:
        """All that is committed at one moment, in portions; see `exporting.export`."""
        engine, loop = self._another(), asyncio.get_running_loop()
        portions = exporting.export(engine)
        with ThreadPoolExecutor(1, "export") as thread:
            try:
                while (portion := await loop.run_in_executor(thread, next, portions, None)) is not None:
                    yield portion
            finally:
                await asyncio.shield(loop.run_in_executor(thread, portions.close))
                engine.dispose()

    async def ask(self, query: Callable[..., _T], *arguments: Any) -> _T:
        """What a query of the ledger answers on the connection of those that take long."""
        return await _answered(self._histories, query, arguments)

    async def _ask(self, query: Callable[..., _T], *arguments: Any) -> _T:
        return await _answered(self._main, query, arguments)


@dataclass(frozen=True, slots=True)
class _Reader:
    engine: Engine
    thread: ThreadPoolExecutor
    limit: float | None


async def _answered(by: _Reader, query: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
    def once() -> _T:
        connection: Connection
        with by.engine.connect() as connection, connection.begin():
            return query(connection, *arguments)

    def answer() -> _T:
        try:
            try:
                return once()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return once()  # it had broken while nobody used it
        except DBAPIError as error:
            failure = failure_of(error)
            if isinstance(failure, StoreAway):
                raise Unavailable(f"the database is away: {failure}", retry_after=_RETRY_SECONDS) from error
            raise failure from error

    try:
        async with asyncio.timeout(by.limit):
            return await asyncio.get_running_loop().run_in_executor(by.thread, answer)
    except TimeoutError:
        silent = f"the database has not answered a query for {by.limit:g} s"
        raise Unavailable(silent, retry_after=_RETRY_SECONDS) from None
