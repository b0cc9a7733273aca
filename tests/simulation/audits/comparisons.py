"""A target is skipped as unchanged only where it passed after the same had been left, and nothing was in doubt."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactsAttached
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.proof import InputsKnown, InputsProved, Place, ProofsDropped, TargetUnchanged
from tests.simulation.audits.books import Audit, Books

_Left = frozenset[tuple[str, str]] | str
"""Path and digest of what a target left, or the run as in which it was skipped."""


class Comparisons(Audit):
    """What targets left when others looked at it, and what these passed with."""

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self.left: dict[str, set[tuple[str, str]]] = {}
        self._lost: set[str] = set()
        self._since: dict[str, str] = {}
        self._seen: dict[str, dict[str, _Left]] = {}
        self._inputs: dict[str, str] = {}
        self._proofs: dict[tuple[Place, str], str] = {}

    def _ArtifactsAttached(self, event: ArtifactsAttached) -> None:
        for one in event.artifacts:
            self.left.setdefault(f"{event.run_id}/{one.target}", set()).add((one.name, one.digest))

    def _AllocationClosed(self, event: e.AllocationClosed) -> None:
        if event.cause not in {Cause.DONE, Cause.UNSPECIFIED}:
            self._lost.add(event.group_id)

    def _InputsKnown(self, event: InputsKnown) -> None:
        group, groups = self._books.groups[event.group_id], self._books.groups
        compared = {need.target: f"{event.run_id}/{need.target}" for need in group.needs if need.changed}
        early = [name for name, one in compared.items() if not groups[one].passed or self._books.allocations_of(one)]
        if group.begun or early or event.group_id in self._inputs:
            self._wrong(f"{event.group_id} was compared too late or too early: {early}")
        if event.digest and self._lost.intersection(compared.values()):
            self._wrong(f"{event.group_id} was compared with what may have been lost")
        self._inputs[event.group_id] = event.digest
        self._seen[event.group_id] = {
            name: self._since.get(one) or frozenset(self.left.get(one, ())) for name, one in compared.items()
        }

    def _TargetUnchanged(self, event: TargetUnchanged) -> None:
        name = event.group_id.removeprefix(f"{event.run_id}/")
        inputs, before = self._inputs[event.group_id], f"{event.since}/{name}"
        proved = {run for (place, known), run in self._proofs.items() if (place[2], known) == (name, inputs)}
        if event.since not in proved or self._seen[before] != self._seen[event.group_id]:
            self._wrong(f"{event.group_id} was skipped as {before}, which was given something else")
        self._since[event.group_id] = event.since
        self._books.groups[event.group_id].unchanged = True

    def _InputsProved(self, event: InputsProved) -> None:
        proof = event.proof
        group_id = f"{proof.by_run}/{proof.target}"
        group = self._books.groups[group_id]
        if not (group.over and group.passed and group.begun) or self._inputs[group_id] != proof.inputs:
            self._wrong(f"{group_id} proves what it did not pass with")
        self._proofs[proof.place, proof.inputs] = proof.by_run

    def _ProofsDropped(self, event: ProofsDropped) -> None:
        for proof in event.proofs:
            del self._proofs[proof.place, proof.inputs]
