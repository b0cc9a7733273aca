"""How facts about what targets produced, and about proofs, change the state."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactsAttached, ArtifactsLost, ArtifactsWaiting
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.product import Product
from crossfleet.coordinator.core.proof import InputsKnown, InputsProved, ProofsDropped, TargetUnchanged


def submitted(state: State, event: e.RunSubmitted) -> None:
    """Of targets that others compare it is kept what they produce."""
    for target in event.targets:
        for need in target.needs:
            if need.changed:
                state.groups[f"{event.run_id}/{need.target}"].product = Product()


def artifacts_attached(state: State, event: ArtifactsAttached) -> None:
    """Artifacts live in SQL; here are digests of those that somebody compares."""
    for artifact in event.artifacts:
        group = state.groups.get(f"{event.run_id}/{artifact.target}")
        if group is not None and group.product is not None:
            group.product.attach(artifact.name, artifact.digest)


def artifacts_waiting(state: State, event: ArtifactsWaiting) -> None:
    """They may be stored too late to be compared."""
    _miss(state, event)


def artifacts_lost(state: State, event: ArtifactsLost) -> None:
    """They are never known."""
    _miss(state, event)


def _miss(state: State, event: ArtifactsWaiting | ArtifactsLost) -> None:
    group = state.groups.get(event.group_id)
    if group is not None and group.product is not None:
        group.product.miss(event.names)


def allocation_closed(group: Group, cause: Cause) -> None:
    """One that did not end in good order may have taken artifacts with it."""
    if group.product is not None and cause not in {Cause.DONE, Cause.UNSPECIFIED}:
        group.product.doubt(f"has lost a worker or slots ({cause.name.lower()}), and what they had left")


def inputs_known(state: State, event: InputsKnown) -> None:
    """It was compared."""
    group = state.groups[event.group_id]
    group.inputs = event.digest
    group.comparison = event.text


def target_unchanged(state: State, event: TargetUnchanged) -> None:
    """It stands as it did in that run."""
    state.groups[event.group_id].unchanged_since = event.since


def inputs_proved(state: State, event: InputsProved) -> None:
    """A target has passed."""
    state.proofs.add(event.proof)


def proofs_dropped(state: State, event: ProofsDropped) -> None:
    """They hold no longer."""
    for proof in event.proofs:
        state.proofs.drop(proof)
