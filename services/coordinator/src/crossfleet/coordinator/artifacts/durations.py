"""Durations that a client uploaded: what of them can be true."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from crossfleet.api.types.v1.suite_pb2 import CaseDuration, Durations
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.core.durations import LONGEST_SECONDS
from crossfleet.foundation.errors import BlobsMissing, CrossfleetError, FieldViolation, InvalidArgument
from crossfleet.foundation.logs import get_logger

MOST_BYTES = 128 << 20
"""Of one blob: a million cases with long ids."""


async def check_durations(blobs: BlobStore, digest: str) -> None:
    """Raises BlobsMissing when the blob was not uploaded, InvalidArgument when it holds no Durations or too many."""
    if await blobs.missing([digest]):
        raise BlobsMissing("the durations were not uploaded", digests=digest, count=1)
    if await blobs.size(digest) > MOST_BYTES:
        allowed = f"a blob of at most {MOST_BYTES:,} bytes"
        raise InvalidArgument(
            f"the durations of blob {digest} are too many",
            fields=[FieldViolation("spec.policy.shard.durations_digest", allowed)],
        )
    await _read(blobs, digest)


async def given_durations(blobs: BlobStore, digest: str) -> dict[str, float]:
    """Seconds by case id of a blob that was checked when its run was submitted; none where it is gone since."""
    try:
        return await _read(blobs, digest)
    except CrossfleetError as error:
        # A cut without them is another one, which its digest says: nothing is lost that is not noticed.
        get_logger().warning("durations could not be read", digest=digest, error=str(error))
        return {}


async def _read(blobs: BlobStore, digest: str) -> dict[str, float]:
    content = await blobs.get(digest)
    try:
        return await asyncio.to_thread(lambda: credible(Durations.FromString(content).cases))
    except DecodeError:
        raise InvalidArgument(
            f"blob {digest} holds no durations",
            fields=[FieldViolation("spec.policy.shard.durations_digest", "the blob of a Durations message")],
        ) from None


def credible(cases: Iterable[CaseDuration]) -> dict[str, float]:
    """Seconds by case id, without ids that come twice, and without what no clock can have measured."""
    found: dict[str, float] = {}
    twice = set()
    for case in cases:
        if case.case_id in found:
            twice.add(case.case_id)
        found[case.case_id] = case.seconds
    return {
        case_id: seconds
        for case_id, seconds in found.items()
        if case_id and case_id not in twice and 0 < seconds <= LONGEST_SECONDS
    }
