"""What goes up to the coordinator, before it has become messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What an outgoing message says. The first three are journalled: they are numbered and kept until acknowledged."""

    RESULTS = "results"
    FINISHED = "finished"
    ENDED = "ended"
    SAYING = "saying"


@dataclass(slots=True)
class Outgoing:
    """One message up.

    `payload` is opaque here (for RESULTS: `parts`). `sequence` is zero until it is numbered, and for ever where it is
    not journalled. Once this message is acknowledged, the shim's journal may be cut after `shim_sequence` (zero:
    nothing follows for the shim). `from_shim`: it came out of that journal. `size` is an estimate in bytes.
    """

    kind: Kind
    attempt: int = 0
    allocation: str = ""
    payload: object = None
    parts: list[object] = field(default_factory=list)
    size: int = 0
    sequence: int = 0
    shim_sequence: int = 0
    from_shim: bool = False

    @property
    def journalled(self) -> bool:
        """Whether it must not be lost."""
        return self.kind is not Kind.SAYING
