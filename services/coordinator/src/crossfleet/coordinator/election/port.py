"""What a coordinator needs of an election, however it is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads as it was last seen. `address` is where others reach it."""

    name: str
    address: str


class Term(Protocol):
    """The right to lead, from one election on. The ledger's epoch is raised under `cluster` and `revision`."""

    cluster: str
    revision: int

    def remaining(self) -> float:
        """Seconds for which this leader may still decide, by its own clock; at 0 or less it must not."""

    async def wait_lost(self) -> str:
        """Wait until the term is over; says why."""

    async def resign(self) -> None:
        """Give the term up, so that another may lead at once."""


class Election(Protocol):
    """Finds one leader among coordinators."""

    def leader(self) -> Leader | None:
        """Who leads, as last seen; None where nobody is known to."""

    async def wait_changed(self) -> None:
        """Wait until `leader` answers something else."""

    async def campaign(self, me: Leader) -> Term:
        """Wait until elected. Cancelling it withdraws."""

    async def close(self) -> None:
        """Withdraw, and let go of connections."""
