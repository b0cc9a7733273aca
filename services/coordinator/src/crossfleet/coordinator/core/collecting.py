"""A worker has enumerated the cases of a target."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import shards
from crossfleet.coordinator.core.commands import CollectionError, PolicySpec, RecordCollection
from crossfleet.coordinator.core.dispatching import feed_group
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.grouping import Grouping, setup_keys
from crossfleet.coordinator.core.last_cases import LimitsLearnt
from crossfleet.coordinator.core.model import Allocation, Group
from crossfleet.coordinator.core.outcomes import Ending
from crossfleet.coordinator.core.settling import close, finish_group, settle_group, useless
from crossfleet.coordinator.core.stopping import stop_at_failure_limit


def record_collection(emit: Emitter, command: RecordCollection) -> None:
    """The first collection of a group is canonical; later ones are mapped onto it by case id.

    Unknown or closing allocations, and those that are ready already, are ignored: the message was resent.
    """
    allocation = emit.state.allocations.get(command.allocation_id)
    if allocation is None or allocation.worker_id != command.worker_id or allocation.closing or allocation.ready:
        return
    group = emit.state.groups[allocation.group_id]
    if command.estimates and len(command.estimates) != len(command.cases):
        raise Refused("INVALID_ARGUMENT", "there must be one estimate for each case, or none", "estimates")
    if command.limits and len(command.limits) != len(command.cases):
        raise Refused("INVALID_ARGUMENT", "there must be one time limit for each case, or none", "limits")
    if group.over:
        return
    if command.runner:
        emit(e.RunnerDescribed(group.run_id, allocation.allocation_id, command.runner))
    if not group.collected:
        policy = emit.state.runs[group.run_id].policy
        own = own_shard(command, policy)
        if not _begin(emit, group, allocation, own):
            return
        if command.cases and not own.cases:
            where = f"shard {policy.shard_index}/{policy.shard_count}"
            count = len(command.cases)
            finish_group(emit, group, f"{where} is empty: the suite has {count} case{'s' * (count > 1)}")
            return
    _make_ready(emit, group, allocation, command)


def own_shard(command: RecordCollection, policy: PolicySpec) -> RecordCollection:
    """What of a collection is the run's own, named by a digest of the whole and its cut; all of it, where it is not cut.

    What skipped itself or could not be collected belongs to one shard as cases do; but errors that keep the cases from
    being run end every shard, and each shows them.
    """
    if policy.shard_count < 2:
        return command
    notes = (*command.skips, *(command.errors if command.go_on else ()))
    # The whole suite on one slot is asked of each shard, not of one.
    grouping = Grouping.NONE if policy.grouping is Grouping.SUITE else policy.grouping
    shared = setup_keys(command.cases, grouping)
    pieces = [
        shards.Piece(case.case_id, case.groups, key if key in shared.bound else "")
        for case, key in zip(command.cases, shared.keys, strict=True)
    ]
    pieces += [shards.Piece(note.case_id, (note.case_id,)) for note in notes]
    nothing_to_do = dict.fromkeys((note.case_id for note in notes), shards.LEAST_SECONDS)
    cut = shards.cut(pieces, {**command.given, **nothing_to_do}, policy.shard_count)
    mine = policy.shard_index - 1
    own = [index for index, case in enumerate(command.cases) if cut.shard_of[case.case_id] == mine]
    new_index = {index: position for position, index in enumerate(own)}
    return replace(
        command,
        digest=f"{cut.digest}-{policy.shard_index}",  # names the cases of this shard alone: they are stored by it
        cases=tuple(command.cases[index] for index in own),
        estimates=tuple(command.estimates[index] for index in own) if command.estimates else (),
        limits=tuple(command.limits[index] for index in own) if command.limits else (),
        skips=tuple(skip for skip in command.skips if cut.shard_of[skip.case_id] == mine),
        errors=tuple(error for error in command.errors if cut.shard_of.get(error.case_id, mine) == mine),
        reruns=tuple((new_index[index], most) for index, most in command.reruns if index in new_index),
    )


def _begin(emit: Emitter, group: Group, allocation: Allocation, command: RecordCollection) -> bool:
    """The group has its cases. False: it has ended already."""
    runs = command.go_on or not command.errors
    cases = command.cases if runs else ()
    estimates = command.estimates if runs else ()
    emit(e.CasesCollected(group.run_id, group.group_id, command.digest, cases, estimates, command.deselected))
    if any(command.limits) and cases:
        emit(LimitsLearnt(group.run_id, group.group_id, command.limits))
    if command.reruns and cases:
        emit(e.RerunsMarked(group.run_id, group.group_id, command.reruns))
    notes = (*command.skips, *command.errors)
    if notes:
        _record_notes(emit, group, allocation, notes)
    if command.errors:
        if stop_at_failure_limit(emit, emit.state.runs[group.run_id]):
            return False
        if not runs:
            count = len(command.errors)
            text = f"{count} error{'s' * (count > 1)} during collection"
            finish_group(emit, group, text, failed=True, ending=Ending.COLLECTION_ERRORS)
            return False
    return True


def _record_notes(emit: Emitter, group: Group, allocation: Allocation, notes: tuple[CollectionError, ...]) -> None:
    """Each is a case of its own, named after what could not be collected or skipped itself."""
    distinct = {note.case_id: note for note in notes}
    emit(e.CasesAdded(group.run_id, group.group_id, tuple(distinct)))
    where = (0, allocation.worker_id, 0)
    cases = tuple(
        e.FinishedCase(group.added[note.case_id], note.outcome, 0.0, note.message, *where) for note in distinct.values()
    )
    payloads = tuple((group.added[note.case_id], note.payload) for note in distinct.values() if note.payload)
    emit(e.CasesFinished(group.run_id, group.group_id, cases, payloads, emit.now))


def _make_ready(emit: Emitter, group: Group, allocation: Allocation, command: RecordCollection) -> None:
    if command.digest == group.digest:
        emit(e.AllocationReady(group.run_id, allocation.allocation_id))
        feed_group(emit, group)
        settle_group(emit, group)
        return
    index_of = {case.case_id: index for index, case in enumerate(group.cases)}
    mapping = tuple(index_of.get(case.case_id, -1) for case in command.cases)
    known = {index for index in mapping if index >= 0}
    unknown = len(mapping) - len(known)
    missing = len(index_of) - len(known)
    text = f"{allocation.worker_id} collected other cases: {missing} are missing there, {unknown} are known only there"
    if emit.state.runs[group.run_id].policy.shard_count > 1:
        # It always knows more: the cases of the other shards.
        text = f"{allocation.worker_id} collected other cases: {missing} of this shard are missing there" * bool(
            missing
        )
    # An empty mapping would say that both number alike.
    emit(e.AllocationReady(group.run_id, allocation.allocation_id, mapping or (-1,), text))
    feed_group(emit, group)
    if not allocation.live and useless(group, allocation):
        close(emit, allocation, text)
    settle_group(emit, group)
