"""Puts the pieces of collections together again."""

from __future__ import annotations

from dataclasses import dataclass, field

from crossfleet.api.worker.v1.worker_service_pb2 import Collected
from crossfleet.coordinator.convert import reports
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import CollectionError, RecordCollection
from crossfleet.foundation.errors import MessageTooLarge

MOST_CASES = 1_000_000
MOST_ERRORS = 10_000


@dataclass(slots=True)
class _Partial:
    cases: list[CollectedCase] = field(default_factory=list)
    errors: list[CollectionError] = field(default_factory=list)
    skips: list[CollectionError] = field(default_factory=list)
    reruns: list[tuple[int, int]] = field(default_factory=list)
    go_on: bool = False
    runner: bytes = b""


class Pieces:
    """The collections of one session that are on their way. Bounded over all of them."""

    def __init__(self, worker_id: str) -> None:
        """For the session of one worker."""
        self._worker_id = worker_id
        self._partial: dict[str, _Partial] = {}

    def add(self, piece: Collected) -> RecordCollection | None:
        """Takes a piece; answers the whole collection with the last one. Raises MessageTooLarge past a million cases."""
        partial = self._partial.setdefault(piece.allocation_id, _Partial())
        partial.reruns += reports.collected_reruns(piece, len(partial.cases))
        partial.cases += reports.collected_cases(piece)
        partial.errors += reports.collection_errors(piece)
        partial.skips += reports.collection_skips(piece)
        partial.go_on |= piece.go_on
        if piece.HasField("runner"):
            partial.runner = piece.runner.SerializeToString()
        held = sum(len(one.cases) for one in self._partial.values())
        if held > MOST_CASES or len(partial.errors) + len(partial.skips) > MOST_ERRORS:
            self._partial.clear()
            raise MessageTooLarge(
                f"a collection has at most {MOST_CASES} cases", limit_bytes=MOST_CASES, size_bytes=held
            )
        if piece.more:
            return None
        del self._partial[piece.allocation_id]
        return RecordCollection(
            worker_id=self._worker_id,
            allocation_id=piece.allocation_id,
            digest=piece.digest,
            cases=tuple(partial.cases),
            errors=tuple(partial.errors),
            deselected=piece.deselected,
            go_on=partial.go_on,
            skips=tuple(partial.skips),
            reruns=tuple(partial.reruns),
            runner=partial.runner,
        )
