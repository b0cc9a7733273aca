"""Runs and what belongs to them as of the last commit, and commands: what servicers and watchers ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact, WaitingArtifact
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert import runs
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.rows import CaseRow, RunRow
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.errors import CaseNotFound, FieldViolation, InvalidArgument, RunNotFound, TargetNotFound


class Lookup:
    """Reads from SQL; what is live only (who holds slots) comes from the state."""

    def __init__(self, queries: Queries, state: Callable[[], State], commit: Commit) -> None:
        """`commit` takes commands and raises CrossfleetError for a refused one."""
        self.queries = queries
        self.state = state
        self._commit = commit

    async def commit(self, command: Command) -> Any:
        """Commits a command; answers what the machine answers. Raises CrossfleetError."""
        return await self._commit(command)

    async def row(self, run_id: str) -> RunRow:
        """The row of a run. Raises RunNotFound."""
        row = await self.queries.run(run_id)
        if row is None:
            raise RunNotFound(f"no run {run_id!r}", run=run_id)
        return row

    async def run(self, run_id: str) -> run_pb2.Run:
        """A run. Raises RunNotFound."""
        return await self.message(await self.row(run_id))

    async def message(self, row: RunRow) -> run_pb2.Run:
        """The run of a row."""
        return runs.run(row, await self.queries.groups(row.run_id), self.state())

    async def target(self, run_id: str, name: str) -> run_pb2.TargetStatus:
        """A target of a run. Raises TargetNotFound."""
        for row in await self.queries.groups(run_id):
            if row.target == name:
                return runs.target(row, self.state())
        raise TargetNotFound(f"run {run_id!r} has no target {name!r}", run=run_id, target=name)

    async def case(self, run_id: str, target: str, case_id: str) -> CaseRow:
        """A case with its full result; the target may be empty where there is only one.

        Raises RunNotFound, TargetNotFound, CaseNotFound, InvalidArgument.
        """
        await self.row(run_id)
        names = [group.target for group in await self.queries.groups(run_id)]
        if not target and len(names) != 1:
            raise InvalidArgument(
                "the run has several targets", fields=[FieldViolation("target", f"one of {', '.join(names)}")]
            )
        await self.target(run_id, target or names[0])
        row = await self.queries.case(run_id, target or names[0], case_id)
        if row is None:
            raise CaseNotFound(f"run {run_id} has no case {case_id!r}", run=run_id, case=case_id)
        return row

    async def final_run(self, run_id: str) -> run_pb2.Run:
        """A run that is known to be finished, as fast as it can be had. Raises RunNotFound."""
        live = self.state().runs.get(run_id)
        return await self.run(run_id) if live is None else runs.live_run(self.state(), live)

    async def final_target(self, run_id: str, name: str) -> run_pb2.TargetStatus:
        """A target that is known to be over, as fast as it can be had. Raises TargetNotFound."""
        live = self.state().groups.get(f"{run_id}/{name}")
        return await self.target(run_id, name) if live is None else runs.target(runs.live_group(live), self.state())

    async def check(self, run_id: str) -> None:
        """Raises RunNotFound where there is no such run; asks SQL only for one that is not open."""
        if run_id not in self.state().runs:
            await self.row(run_id)

    async def ended(self, run_id: str) -> bool:
        """Whether a run is over. Raises RunNotFound."""
        live = self.state().runs.get(run_id)
        if live is not None and live.state is not RunState.FINISHED:
            return False
        return (await self.row(run_id)).state == RunState.FINISHED

    async def artifacts(self, run_id: str, after: tuple[str, str] | None, limit: int) -> list[Artifact]:
        """Artifacts of a run by target and name, behind `after`."""
        rows = await self.queries.artifacts(run_id, after=after or ("", ""), limit=limit)
        return [runs.artifact(run_id, row) for row in rows]

    async def waiting_artifacts(self, run_id: str, limit: int) -> list[WaitingArtifact]:
        """Artifacts of a run that workers still keep, by target and name."""
        return [runs.waiting_artifact(row) for row in await self.queries.waiting_artifacts(run_id, limit)]
