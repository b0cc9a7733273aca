"""Commands in, the errors of the API out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from crossfleet.coordinator.core.commands import Command, RecordCollection
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.estimates import Estimates
from crossfleet.coordinator.ledger.codec import stored_cases
from crossfleet.coordinator.ledger.observing import kindred_keys, suite_key
from crossfleet.coordinator.ledger.store import Deposed, StoreFailed, StoreFull
from crossfleet.coordinator.ledger.writer import LedgerRejected, LedgerWriter
from crossfleet.foundation.errors import CrossfleetError, FieldViolation
from crossfleet.foundation.errors.status import error_from_reason

_MANY_CASES = 1_000
_RETRY_SECONDS = {"QUEUE_FULL": 0.5, "DATABASE_AWAY": 2.0, "COMMIT_UNSETTLED": 0.5}


def committing(writer: LedgerWriter) -> Callable[[Command], Awaitable[Any]]:
    """A function that commits a command and answers what the machine answers. It raises CrossfleetError for a refusal."""

    async def commit(command: Command) -> Any:
        try:
            return await writer.submit(command)
        except LedgerRejected as rejected:
            raise error_of(rejected.rejection) from None

    return commit


def error_of(rejection: Rejection) -> CrossfleetError:
    """The error that a rejection stands for."""
    error = error_from_reason(rejection.reason, rejection.message, dict(rejection.metadata))
    if rejection.field:
        error.fields = (FieldViolation(rejection.field, rejection.message),)
    error.retry_after = _RETRY_SECONDS.get(rejection.reason)
    return error


def learning(writer: LedgerWriter) -> Callable[[str, Sequence[tuple[str, float]]], Awaitable[None]]:
    """A function that takes durations into the model of a suite. It raises CrossfleetError where they are not stored."""

    async def learn(suite_key: str, seconds: Sequence[tuple[str, float]]) -> None:
        try:
            await writer.learn(suite_key, seconds)
        except (Deposed, StoreFailed, StoreFull) as error:
            reason = {Deposed: "NOT_LEADER", StoreFull: "DISK_FULL"}.get(type(error), "INTERNAL")
            raise error_from_reason(reason, f"the durations were not stored: {error}", {}) from error

    return learn


def recording(
    writer: LedgerWriter, estimates: Estimates, commit: Callable[[Command], Awaitable[Any]]
) -> Callable[[RecordCollection], Awaitable[Any]]:
    """A function that commits a collection together with what is known of the durations of its cases."""

    async def record(collection: RecordCollection) -> Any:
        allocation = writer.state.allocations.get(collection.allocation_id)
        if allocation is None:
            return None
        run, group = writer.state.runs[allocation.run_id], writer.state.groups[allocation.group_id]
        if not group.collected and collection.cases:
            ids = tuple(case.case_id for case in collection.cases)
            given = await estimates.given(run.policy.durations_digest)
            kindred = kindred_keys(group.suite(run), group.target, writer.state)
            known = await estimates.known(suite_key(run, group), kindred, ids, given)
            limits: tuple[float, ...] = ()
            if run.policy.learnt_timeout:
                limits = await estimates.time_limits(suite_key(run, group), kindred, ids)
            cases = collection.cases
            if len(cases) > _MANY_CASES and run.policy.shard_count < 2:
                cases = await asyncio.to_thread(stored_cases, cases)
            collection = replace(collection, cases=cases, estimates=known, given=given, limits=limits)
        return await commit(collection)

    return record
