"""All that is known of a finished run, gathered for its reports."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.running.progress import BAD
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

MOST_DETAILS = 1000
"""Failures whose tracebacks are fetched; the rest keep their one-line message."""


@dataclass(frozen=True, slots=True)
class RunResults:
    """A run, its cases in the order of targets and collection, the full results of what failed or was flaky, its artifacts."""

    run: run_pb2.Run
    cases: tuple[result_pb2.CaseRecord, ...]
    details: dict[tuple[str, int, str], result_pb2.CaseResult]
    artifacts: tuple[Artifact, ...] = ()

    def failures(self) -> list[result_pb2.CaseRecord]:
        """Cases that make the run fail."""
        return [case for case in self.cases if case.outcome in BAD]

    def flaky(self) -> list[result_pb2.CaseRecord]:
        """Cases that failed first and not later; with what failed, where it was fetched."""
        return [case for case in self.cases if case.outcome == result_pb2.OUTCOME_FLAKY]

    def detail(self, case: result_pb2.CaseRecord) -> result_pb2.CaseResult | None:
        """The full result of a case, where it was fetched."""
        return self.details.get(_key(case))


async def gather(client: Client, run: run_pb2.Run) -> RunResults:
    """Fetches what the reports need. Raises the fleet's error."""
    cases = [case async for case in client.runs.cases(run.run_id)]
    whole: dict[tuple[str, int, str], result_pb2.CaseRecord] = {}
    for outcomes in (BAD, {result_pb2.OUTCOME_FLAKY}):
        if len(whole) < MOST_DETAILS and any(case.outcome in outcomes for case in cases):
            async for case in client.runs.cases(run.run_id, outcomes=sorted(outcomes), full_results=True):
                whole[_key(case)] = case
                if len(whole) >= MOST_DETAILS:
                    break
    # Their earlier failures are whole there, too.
    cases = [whole.get(_key(case), case) for case in cases] if whole else cases
    details = {key: case.result for key, case in whole.items()}
    return RunResults(run, tuple(cases), details, await _artifacts(client, run.run_id))


async def _artifacts(client: Client, run_id: str) -> tuple[Artifact, ...]:
    try:
        return tuple([artifact async for artifact in client.artifacts.list(run_id)])
    except CrossfleetError:
        return ()  # a report without its list of artifacts is better than none


def _key(case: result_pb2.CaseRecord) -> tuple[str, int, str]:
    return case.target, case.case_index, case.case_id
