"""All that is known of a finished run, gathered for its reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from dataclasses import dataclass

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact, WaitingArtifact
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.reporting.last_words import LastWords
from crossfleet.cli.running.endings import read_last_words
from crossfleet.cli.running.progress import BAD
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

Details = dict[tuple[str, int, str], result_pb2.CaseResult]
MOST_DETAILS = 1000
"""Failures whose tracebacks are fetched; the rest keep their one-line message."""
MOST_OTHER_DETAILS = 50_000
"""Cases that did not fail and whose output or durations are fetched."""
_TOLD_WHOLE = BAD | {result_pb2.OUTCOME_FLAKY}


@dataclass(frozen=True, slots=True)
class RunResults:
    """A run, its cases in the order of targets and collection, the full results of what failed or was flaky, its artifacts."""

    run: run_pb2.Run
    cases: tuple[result_pb2.CaseRecord, ...]
    details: Details
    artifacts: tuple[Artifact, ...] = ()
    last_words: tuple[LastWords, ...] = ()
    waiting: tuple[WaitingArtifact, ...] = ()
    """Artifacts that could not be stored yet."""
    hint: str = ""
    """What may have been meant otherwise, in a line."""

    def warnings(self) -> int:
        """Warnings that the sessions of the suite counted."""
        return sum(session.warnings for session in self.last_words)

    def failures(self) -> list[result_pb2.CaseRecord]:
        """Cases that make the run fail."""
        return [case for case in self.cases if case.outcome in BAD]

    def flaky(self) -> list[result_pb2.CaseRecord]:
        """Cases that failed first and not later; with what failed, where it was fetched."""
        return [case for case in self.cases if case.outcome == result_pb2.OUTCOME_FLAKY]

    def detail(self, case: result_pb2.CaseRecord) -> result_pb2.CaseResult | None:
        """The full result of a case, where it was fetched."""
        return self.details.get(_key(case))


async def gather(
    client: Client,
    run: run_pb2.Run,
    details_of: Collection[result_pb2.Outcome.ValueType] = BAD,
    sessions_end: Awaitable[object] | None = None,
    *,
    properties: bool = False,
) -> RunResults:
    """Fetches what the reports need: the full results of these outcomes, and of all where hosts were to be quiet: what was
    measured of these stands there; with `properties` those of all cases that have some. Raises the fleet's error.

    Verdicts are fetched at once; what sessions leave at their end after `sessions_end`.
    """
    if any(target.request.HasField("gates") for target in run.spec.targets):
        details_of = result_pb2.Outcome.values()
    fetching = asyncio.ensure_future(_cases(client, run.run_id, details_of, properties=properties))
    try:
        if sessions_end is not None:
            await sessions_end
            run = await client.runs.get(run.run_id)
        cases, details = await fetching
    finally:
        fetching.cancel()
    artifacts, waiting = await _artifacts(client, run.run_id)
    return RunResults(run, cases, details, artifacts, await read_last_words(client, run), waiting)


async def _cases(
    client: Client, run_id: str, details_of: Collection[result_pb2.Outcome.ValueType], *, properties: bool
) -> tuple[tuple[result_pb2.CaseRecord, ...], Details]:
    cases = [case async for case in client.runs.cases(run_id)]
    present = {case.outcome for case in cases}
    whole = await _whole(client, run_id, _TOLD_WHOLE & present, MOST_DETAILS)
    whole |= await _whole(client, run_id, (set(details_of) - _TOLD_WHOLE) & present, MOST_OTHER_DETAILS)
    others = present - _TOLD_WHOLE - set(details_of)
    if properties and others:
        whole |= await _whole(client, run_id, others, MOST_OTHER_DETAILS, with_properties=True)
    # Their earlier failures are whole there, too.
    shown = tuple(whole.get(_key(case), case) for case in cases)
    return shown, {key: case.result for key, case in whole.items() if case.HasField("result")}


async def _whole(
    client: Client,
    run_id: str,
    outcomes: Collection[result_pb2.Outcome.ValueType],
    most: int,
    *,
    with_properties: bool = False,
) -> dict[tuple[str, int, str], result_pb2.CaseRecord]:
    found: dict[tuple[str, int, str], result_pb2.CaseRecord] = {}
    if outcomes:
        wanted = sorted(outcomes)
        async for case in client.runs.cases(
            run_id, outcomes=wanted, full_results=True, with_properties=with_properties
        ):
            found[_key(case)] = case
            if len(found) >= most:
                break
    return found


async def _artifacts(client: Client, run_id: str) -> tuple[tuple[Artifact, ...], tuple[WaitingArtifact, ...]]:
    try:
        waiting = tuple(await client.artifacts.waiting(run_id))
        return tuple([artifact async for artifact in client.artifacts.list(run_id)]), waiting
    except CrossfleetError:
        return (), ()  # a report without its list of artifacts is better than none


def _key(case: result_pb2.CaseRecord) -> tuple[str, int, str]:
    return case.target, case.case_index, case.case_id
