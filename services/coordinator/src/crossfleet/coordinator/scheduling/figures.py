"""How a scheduler fares, for operators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SchedulerFigures:
    """Counts since the coordinator started."""

    address: str = ""
    name: str = ""
    version: str = ""
    connected: bool = False
    plans: int = 0
    accepted: int = 0
    refused: int = 0
    last_refusal: str = ""
