"""Worker leases. Pure: the caller says what time it is, on any clock that only grows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LeaseChange(Enum):
    """What silence, or its end, means for a worker."""

    SILENT = "silent"
    LOST = "lost"


@dataclass(slots=True)
class _Lease:
    session_id: str
    heard: float
    silent: bool = False


class Leases:
    """Who was heard when. Half the time to live silent: suspect; the whole: lost. Any message renews."""

    def __init__(self, seconds: float) -> None:
        """`seconds` is the time to live."""
        self.seconds = seconds
        self._leases: dict[str, _Lease] = {}

    def begin(self, worker_id: str, session_id: str, now: float) -> None:
        """A session began, or, after a restart, a worker is given one lease to come back."""
        self._leases[worker_id] = _Lease(session_id, now)

    def heard(self, worker_id: str, session_id: str, now: float) -> bool:
        """Renews. True when the worker was suspect until now; a message of an earlier session renews nothing."""
        lease = self._leases.get(worker_id)
        if lease is None or lease.session_id != session_id:
            return False
        lease.heard = now
        was_silent, lease.silent = lease.silent, False
        return was_silent

    def unheard(self, worker_id: str, session_id: str) -> None:
        """Nobody could be told that a worker was heard again: its next message says so once more."""
        lease = self._leases.get(worker_id)
        if lease is not None and lease.session_id == session_id:
            lease.silent = True

    def excuse(self, seconds: float) -> None:
        """Nobody could be heard for so long, since the listener itself stood still."""
        for lease in self._leases.values():
            lease.heard += seconds

    def living(self, worker_id: str) -> bool:
        """Whether the worker's lease runs."""
        return worker_id in self._leases

    def silence(self, worker_id: str, now: float) -> float | None:
        """Seconds since the worker was heard; None for one without a lease."""
        lease = self._leases.get(worker_id)
        return None if lease is None else now - lease.heard

    def due(self, now: float) -> list[tuple[str, str, LeaseChange]]:
        """(worker, session, change) for every worker whose silence has become too long. A lost one is forgotten."""
        changes = []
        for worker_id, lease in list(self._leases.items()):
            silence = now - lease.heard
            if silence >= self.seconds:
                del self._leases[worker_id]
                changes.append((worker_id, lease.session_id, LeaseChange.LOST))
            elif silence >= self.seconds / 2 and not lease.silent:
                lease.silent = True
                changes.append((worker_id, lease.session_id, LeaseChange.SILENT))
        return changes

    def next_check(self, now: float) -> float:
        """Seconds until `due` may have something to tell."""
        following = [
            lease.heard + (self.seconds if lease.silent else self.seconds / 2) for lease in self._leases.values()
        ]
        return max(0.0, min(following, default=now + self.seconds / 2) - now)
