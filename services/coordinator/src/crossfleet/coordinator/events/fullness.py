"""Whoever watches is told that nothing more will happen, as the ledger's disk is full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crossfleet.foundation.errors import DiskFull


@dataclass(frozen=True, slots=True)
class Fullness:
    """`seconds` answers for how long the disk of `folder` has been too full to write; more than `limit` is too long."""

    folder: Path
    seconds: Callable[[], float]
    limit: float

    def check(self) -> None:
        """Raises DiskFull. Nothing is lost: workers keep their results, and the run goes on when there is room."""
        full = self.seconds()
        if full > self.limit:
            raise DiskFull(
                f"the disk of {self.folder} has been full for {full:.0f} s: nothing more can be recorded until there is room",
                path=self.folder,
            )

    @property
    def pause(self) -> float:
        """Seconds between two looks."""
        return self.limit / 4
