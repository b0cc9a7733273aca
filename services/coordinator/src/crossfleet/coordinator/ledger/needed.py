"""What has to be loaded beside the facts."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.coordinator.core.events import CasesCollected
from crossfleet.coordinator.ledger import codec


def collection_digests(bodies: Iterable[bytes]) -> set[str]:
    """Digests of the collections that stored facts name."""
    return {
        event.digest for body in bodies for _, event in codec.decode_events(body) if isinstance(event, CasesCollected)
    }
