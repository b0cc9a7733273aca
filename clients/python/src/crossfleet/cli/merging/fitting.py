"""Whether parts belong together: one cut, each shard once, each case once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.merging.parts import Part, same_content
from crossfleet.cli.running.cuts import collection_of, cut_of, short


@dataclass(frozen=True, slots=True)
class Fitted:
    """Parts of one cut by their index, none twice; the indices that are missing; what people should know."""

    parts: tuple[Part, ...]
    missing: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many shards the cut has."""
        return self.parts[0].shard.count


def fit(parts: Sequence[Part]) -> Fitted:
    """Sorts parts that are shards of one cut. Raises UsageError where they are not, and says how they differ."""
    first = parts[0]
    _check_same("are shards of different numbers", [(part, f"of {part.shard.count}") for part in parts])
    _check_same("have other targets", [(part, ", ".join(target.name for target in part.run.targets)) for part in parts])
    _check_same("ran different commits", [(part, part.run.spec.workspace.commit) for part in parts])
    kept: dict[int, Part] = {}
    notes = []
    for part in parts:
        index = part.shard.index
        if index not in kept:
            kept[index] = part
        elif same_content(kept[index].path, part.path):
            notes.append(f"{part.path}: shard {index} again, the same as {kept[index].path}; taken once")
        else:
            raise UsageError(
                f"shard {index} is there twice, with different results: {kept[index].path} and {part.path}. "
                "Keep the one that counts"
            )
    for target in (target.name for target in first.run.targets):
        _check_same_cut(target, list(kept.values()))
    missing = tuple(index for index in range(1, first.shard.count + 1) if index not in kept)
    ordered = tuple(kept[index] for index in sorted(kept))
    _check_each_case_once(ordered)
    return Fitted(ordered, missing, tuple(notes))


def _check_same(what: str, found: Sequence[tuple[Part, str]]) -> None:
    """Raises UsageError for the first two parts that say different things; one that says nothing fits all."""
    told = [(part, value) for part, value in found if value]
    for part, value in told[1:]:
        before, other = told[0]
        if value != other:
            raise UsageError(f"{before.path} and {part.path} {what}: {other} and {value}")


def _check_same_cut(target: str, parts: Sequence[Part]) -> None:
    """A target that did not come to the end of its collection has no cut: its shard's verdict tells."""
    cuts = {part.path: _cut(part, target) for part in parts if _cut(part, target)}
    if len(set(cuts.values())) < 2:
        return
    by_cut: dict[str, list[Part]] = {}
    for part in parts:
        if part.path in cuts:
            by_cut.setdefault(cuts[part.path], []).append(part)
    (cut, some), (other_cut, others), *_ = by_cut.items()
    if collection_of(cut) != collection_of(other_cut):
        why = "they collected other cases. Look for parameters or skips that depend on the machine, or other arguments"
    elif some[0].shard.durations_digest != others[0].shard.durations_digest:
        why = "the durations differ. Give each machine the same file, or none"
    else:
        why = "cases and durations are the same, so use one version of crossfleet"
    raise UsageError(
        f"target {target}: {_named(some)} and {_named(others)} were cut differently ({short(cut)} and "
        f"{short(other_cut)}), so that cases could be missing or there twice: {why}"
    )


def _cut(part: Part, target: str) -> str:
    if ended_early(part, target):
        return ""
    return next((cut_of(each) for each in part.run.targets if each.name == target), "")


def _named(parts: Sequence[Part]) -> str:
    return ("shard " if len(parts) == 1 else "shards ") + ", ".join(str(part.shard.index) for part in parts)


def _check_each_case_once(parts: Sequence[Part]) -> None:
    seen: dict[tuple[str, str], Part] = {}
    for part in parts:
        for case in part.results.cases:
            key = (case.target, case.case_id)
            before = seen.setdefault(key, part)
            if before is not part and not (ended_early(before, case.target) and ended_early(part, case.target)):
                raise UsageError(
                    f"{case.case_id} [{case.target}] is in shard {before.shard.index} and in shard {part.shard.index}"
                )


def ended_early(part: Part, target: str) -> bool:
    """Whether a target ended at its collection, with errors that every shard shows."""
    return any(
        each.name == target and each.ending == result_pb2.SUITE_ENDING_COLLECTION_ERRORS for each in part.run.targets
    )
