"""What a detector is, and how it says what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Found = Mapping[str, Any]
"""One device: `device_id`, `device_class`, `attributes` (bool, int, float, str, list of str, or {"version": str}),
`capacities` (int by name), `conditions` (list of str), `shareable` (bool: several may hold portions of its capacities).
Sizes in bytes, frequencies in hertz. Plain JSON, because detectors run in processes of their own.

`adds` makes it a view: another detector may have found the same device, by its attribute `pci` or `uuid` or, of class
`cpu`, as the processors. Then the attributes that are named there become that one's, and nothing is listed twice."""


@runtime_checkable
class Detector(Protocol):
    """Looks for devices of one kind."""

    def present(self) -> bool:
        """Whether it is worth looking, answered within a millisecond and without loading anything."""

    def detect(self) -> Sequence[Found]:
        """The devices, in a stable order with stable ids. May raise anything; may be killed when it takes too long."""
