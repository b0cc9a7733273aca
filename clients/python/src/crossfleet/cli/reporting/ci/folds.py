"""A report as lines of a log, folded where the CI service folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crossfleet.cli.reporting.ci.service import Service
from crossfleet.cli.reporting.part import Part


def folded(parts: Iterable[Part], service: Service) -> Iterator[str]:
    """The texts, between what opens and closes folds; what tests may have written obeys nothing."""
    is_open = False
    for part in parts:
        if is_open and not (part.fold and service.next_fold_ends_last):
            yield service.closed()
        opened = service.opened(part.fold) if part.fold else ""
        if opened:
            yield opened
        yield service.shielded(part.text)
        is_open = bool(opened)
    if is_open:
        yield service.closed()
