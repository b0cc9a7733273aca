"""The cut of a shard: what all shards of one suite must share for their results to be joined."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2, run_pb2

_COLLECTION_DIGITS = 32
_SHOWN = 8


def cut_of(target: run_pb2.TargetStatus) -> str:
    """64 digits that name the whole collection of a target and how it was shared out; empty where it was not collected."""
    return target.collection_digest.partition("-")[0]


def collection_of(cut: str) -> str:
    """The digits of a cut that name the collection alone."""
    return cut[:_COLLECTION_DIGITS]


def short(cut: str) -> str:
    """A cut for people: the first digits of both halves."""
    return f"{cut[:_SHOWN]}-{cut[_COLLECTION_DIGITS:][:_SHOWN]}"


def shard_lines(run: run_pb2.Run) -> list[str]:
    """Which part a run was and the cut of each target; empty for a whole suite."""
    shard = run.spec.policy.shard
    if shard.count < 2:
        return []
    return [
        f"{shard.index}/{shard.count}, cut {short(cut_of(target))} [{target.name}]"
        for target in run.targets
        if target.collection_digest and target.ending != result_pb2.SUITE_ENDING_COLLECTION_ERRORS
    ]
