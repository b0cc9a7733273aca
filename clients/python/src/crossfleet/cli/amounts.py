"""Amounts as people write them on a command line: times, sizes, shares, counts."""

from __future__ import annotations

import argparse

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}


def seconds(text: str) -> float:
    """Seconds of `90`, `1.5m`, `2h`, `7d`. Raises ArgumentTypeError, as argparse wants it."""
    unit = _UNITS.get(text[-1:])
    try:
        value = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give seconds, or a number with s, m, h or d")
    return value


def size(text: str) -> int:
    """Bytes of `1000`, `512MB`, `2GiB`. Raises ArgumentTypeError."""
    number = text.rstrip("BbIiKkMmGgTt")
    unit = _SIZES.get(text[len(number) :].upper())
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if unit is None or value < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: give bytes, or a number with KB, MB, GB, KiB, MiB or GiB"
        )
    return int(value * unit)


def percent(text: str) -> int:
    """A whole number from 0 to 100, with or without `%`. Raises ArgumentTypeError."""
    number = text.removesuffix("%")
    if not number.isdigit() or not 0 <= int(number) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage: give a whole number from 0 to 100")
    return int(number)


def count(text: str) -> int:
    """A whole number from 0. Raises ArgumentTypeError."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number, 0 for no limit")
    return int(text)
