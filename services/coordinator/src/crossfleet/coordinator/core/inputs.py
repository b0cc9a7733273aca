"""What a target needs is compared with earlier runs: where nothing has changed since it passed, it is skipped."""

from __future__ import annotations

from hashlib import sha256

from crossfleet.coordinator.core import verdict
from crossfleet.coordinator.core.commands import Need, PolicySpec
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Group, Run, State
from crossfleet.coordinator.core.outcomes import BAD, Ending, Outcome, RunState, RunVerdict
from crossfleet.coordinator.core.product import NotComparable
from crossfleet.coordinator.core.proof import InputsKnown, InputsProved, Place, Proof, ProofsDropped, TargetUnchanged


def settle_inputs(emit: Emitter, run: Run, group: Group) -> str:
    """Look, once, at what those have produced that a group needs; answers why it is skipped, or an empty text.

    They have passed, and nothing is held for them any more: what they leave is stored, or is named as missing.
    """
    if not group.target.compares or group.inputs is not None:
        return ""
    try:
        digest = _digest(emit.state, run, group)
    except NotComparable as why:
        emit(InputsKnown(group.run_id, group.group_id, "", f"runs, since {why}"))
        return ""
    place = _place(run, group)
    since = _proved(emit.state, place, digest)
    if since and not run.policy.unchanged_too:
        emit(InputsKnown(group.run_id, group.group_id, digest, ""))
        emit(TargetUnchanged(group.run_id, group.group_id, since))
        return f"skipped: nothing that it needs has changed since {since}, in which it passed"
    emit(InputsKnown(group.run_id, group.group_id, digest, _why(emit.state, place, since)))
    return ""


def judge_inputs(emit: Emitter, group: Group) -> None:
    """The group is over: whether it has passed is remembered of what it was given.

    One that was stopped before it failed, found no case, or could not be carried out says nothing.
    """
    if group.inputs is None or group.skipped:
        return
    run = emit.state.runs[group.run_id]
    conclusion, _ = verdict.conclude(run, (group,))
    bad = any(group.counts[outcome] for outcome in BAD)
    if bad or conclusion is RunVerdict.FAILED or group.ending is Ending.SESSION_FAILED:
        disprove_inputs(emit, group)
        return
    whole = run.state < RunState.STOPPING and not group.counts[Outcome.CANCELLED]
    if conclusion is RunVerdict.PASSED and whole and group.inputs and group.ending is not Ending.NO_CASES:
        proof = Proof(*_place(run, group), group.inputs, run.run_id, emit.now)
        displaced = emit.state.proofs.displaced(proof)
        if displaced:
            emit(ProofsDropped(displaced))
        emit(InputsProved(proof))


def disprove_inputs(emit: Emitter, group: Group) -> None:
    """The group has failed with what it was given; also its session, by itself, after the last verdict."""
    if group.inputs is None:
        return
    run = emit.state.runs[group.run_id]
    # What a skipped target had left goes by the name of a run: the same may have been proved under another digest.
    named = any(need.changed and _needed(emit.state, run, need).target.compares for need in group.target.needs)
    undone = emit.state.proofs.against(_place(run, group), "" if named else group.inputs)
    if undone:
        emit(ProofsDropped(undone))


def may_stand(state: State, place: Place, run_id: str) -> bool:
    """Whether that run can stand for a target, should what it needs leave the same again."""
    proofs = state.proofs.by_place.get(place, {}).values()
    return any(one.by_run == run_id and _kept(state, one) for one in proofs)


def place_of(project: str, suite: str, target: str, policy: PolicySpec) -> Place:
    """Under what the proofs of a target are kept: each part of a suite proves for itself, and takes no room from the others."""
    whole = policy.shard_count == 1
    return project, suite, target if whole else f"{target} {policy.shard_index}/{policy.shard_count}"


def _place(run: Run, group: Group) -> Place:
    project, suite, _ = group.suite(run)
    return place_of(project, suite, group.target.name, run.policy)


def _proved(state: State, place: Place, digest: str) -> str:
    """The run in which the target passed with the same; empty where there is none, or it is not kept any longer."""
    proof = state.proofs.find(place, digest)
    return proof.by_run if proof is not None and _kept(state, proof) else ""


def _kept(state: State, proof: Proof) -> bool:
    return proof.by_run in state.runs or proof.by_run in state.past_runs


def _why(state: State, place: Place, since: str) -> str:
    """Why it runs."""
    if since:
        return f"runs though nothing that it needs has changed since {since}, as the run says"
    latest = state.proofs.latest(place)
    if latest is None or not _kept(state, latest):
        return "runs, since no earlier run can stand for it"
    return f"runs, since what it needs has changed, or the target itself, since {latest.by_run}, the last that could stand for it"


def _digest(state: State, run: Run, group: Group) -> str:
    """Of what was asked for, and of all that is compared. Raises NotComparable."""
    digest = sha256(group.target.definition.encode())
    for need in sorted(group.target.needs, key=lambda one: one.target):
        if need.changed:
            produced = _produced(_needed(state, run, need), need.artifacts)
            digest.update(f"\n{need.target}\0{produced}".encode())
    return digest.hexdigest()


def _needed(state: State, run: Run, need: Need) -> Group:
    return state.groups[f"{run.run_id}/{need.target}"]


def _produced(group: Group, patterns: tuple[str, ...]) -> str:
    if group.unchanged_since:
        return group.unchanged_since
    if group.product is None:
        raise NotComparable(f"what {group.target.name} has left is not known")
    try:
        artifacts = group.product.digest(patterns)
    except NotComparable as why:
        raise NotComparable(f"{group.target.name} {why}") from None
    added = "".join(f"{case_id}\n" for case_id in group.added).encode("utf-8", "surrogateescape")
    return sha256(f"{group.digest}\n{artifacts}\n".encode() + bytes(group.outcomes) + added).hexdigest()
