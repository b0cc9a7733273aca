"""Quantities: ``16Gi`` as a number of bytes, and back."""

import re

_SHAPE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]{0,3})", re.ASCII)
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_LARGEST = 2**63 - 1


def parse_quantity(text: str) -> int:
    """Turn ``16Gi``, ``1.5 GiB``, ``500M`` or ``1024`` into a whole number (bytes, for memory).

    Raises ValueError naming the known units.
    """
    found = _SHAPE.fullmatch(text.strip())
    unit = found[2].removesuffix("B") if found else ""
    factor = _BINARY.get(unit) or _DECIMAL.get(unit)
    if found is None or factor is None:
        raise ValueError(f"{text!r} is not a quantity: write a number and one of Ki Mi Gi Ti Pi or k M G T P")
    whole, _, fraction = found[1].partition(".")
    value = int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)
    if value > _LARGEST:
        raise ValueError(f"{text!r} is not a quantity: it is over {_LARGEST}")
    return value


def format_quantity(value: int) -> str:
    """Write a number of bytes for people: ``16Gi``, ``1.5Gi``, ``640``."""
    for unit, factor in reversed(_BINARY.items()):
        if value >= factor:
            return f"{value / factor:.1f}".removesuffix(".0") + unit
    return str(value)
