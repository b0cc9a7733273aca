"""A fault as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """At `at` seconds, `kind` happens to number `target`; `amount` is in seconds where it lasts."""

    at: float
    kind: str
    target: int
    amount: float

    def __str__(self) -> str:
        return f"{self.at:.3f} s: {self.kind} {self.target} ({self.amount:.3f})"


Kind = Callable[[Any, Fault], None]
