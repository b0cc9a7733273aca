"""How quiet a host must be while a case is measured on it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

GATES = ("temperature", "clock", "load", "pressure", "gpu")
"""Every gate, as requests and workers name it."""

DEFAULT_WAIT = 120.0
MIN_WAIT, MAX_WAIT = 1.0, 86_400.0
DEFAULT_REPEATS = 1
MAX_REPEATS = 10
_HOTTEST = 150.0
_PARTS = frozenset({"clock", "pressure", "gpu"})


@dataclass(frozen=True)
class Gates:
    """What is looked at before a case and while it executes; None: that is not.

    ``temperature`` is the highest in degrees Celsius, ``clock`` the least part of the highest frequency, ``load`` the
    most cores that others keep busy, ``pressure`` the longest part of the time in which something waits for a processor,
    ``gpu`` the highest use of GPUs that the slot does not hold. A case waits ``wait_seconds`` for them, and is executed
    ``repeats`` times more when one of them was broken meanwhile.
    """

    temperature: float | None = None
    clock: float | None = None
    load: float | None = None
    pressure: float | None = None
    gpu: float | None = None
    wait_seconds: float = DEFAULT_WAIT
    repeats: int = DEFAULT_REPEATS

    @property
    def limits(self) -> Mapping[str, float]:
        """The limits that are set, by the name of the gate."""
        values = ((name, getattr(self, name)) for name in GATES)
        return {name: value for name, value in values if value is not None}


NO_GATES = Gates()


def wrong(gates: Gates) -> tuple[str, str] | None:
    """The first field that cannot be, and why; None where all can."""
    for name, value in gates.limits.items():
        most = 1.0 if name in _PARTS else _HOTTEST if name == "temperature" else math.inf
        least = 0.0 if name in ("load", "pressure", "gpu") else 1e-9
        if not (math.isfinite(value) and least <= value <= most):
            known = {"temperature": f"degrees Celsius up to {_HOTTEST:g}", "load": "a number of cores, at least 0"}
            return name, f"{value:g} is not {known.get(name, 'a part from 0 to 1')}"
    if not MIN_WAIT <= gates.wait_seconds <= MAX_WAIT:
        return "wait", f"{gates.wait_seconds:g} seconds are not from {MIN_WAIT:g} to {MAX_WAIT:g}"
    if not 0 <= gates.repeats <= MAX_REPEATS:
        return "repeats", f"{gates.repeats} is not from 0 to {MAX_REPEATS}"
    return None
