"""Whose output it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


def is_plain(name: str) -> bool:
    """Whether a name can be that of a folder."""
    return _PLAIN.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class LogSource:
    """One slot of a run; slot -1 is the process that collects."""

    run_id: str
    target: str
    worker_id: str
    slot: int

    def valid(self) -> bool:
        """Whether its parts can be names of folders."""
        return all(is_plain(part) for part in (self.run_id, self.target, self.worker_id))

    def within(self, target: str, worker_id: str) -> bool:
        """Whether it belongs to a target and a worker; empty: any."""
        return target in ("", self.target) and worker_id in ("", self.worker_id)
