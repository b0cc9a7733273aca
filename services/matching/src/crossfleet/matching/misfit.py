"""Why a request does not fit: a word for machines, a line for people, and whether waiting can help."""

from dataclasses import dataclass
from enum import StrEnum


class Wait(StrEnum):
    """Whether waiting can end without a change of the fleet."""

    NEVER = "never"
    LATER = "later"


class Code(StrEnum):
    """What stands against a placement, the most fundamental first; the order ranks what is told."""

    INVALID_SELECTOR = "invalid_selector"
    RUNNER = "runner"
    SELECTOR = "selector"
    DEVICES = "devices"
    CPU = "cpu"
    MEMORY = "memory"
    SLOTS = "slots"
    GATES = "gates"
    TAINT = "taint"
    STATE = "state"
    BUSY = "busy"


@dataclass(frozen=True)
class Misfit:
    """A refusal by one worker."""

    wait: Wait
    code: Code
    text: str
