"""How long a database may be away."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crossfleet.coordinator.core.emitter import Rejection


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one batch may take. After `refuse` seconds what waits is refused, and what comes; after `leave` seconds the
    ledger is given up, as another coordinator may reach the database. Until then it is tried again.

    Without an end of either the first failure of the store is the end of the ledger.
    """

    refuse: float = math.inf
    leave: float = math.inf

    def absence(self, seconds: float) -> str:
        """What people are told."""
        return f"the database has not answered for {seconds:g} s"

    def refusal(self) -> Rejection:
        """Of a command that was not tried."""
        text = f"{self.absence(self.refuse)}; nothing was recorded: try again later"
        return Rejection("DATABASE_AWAY", text)


NO_PATIENCE = Patience()
