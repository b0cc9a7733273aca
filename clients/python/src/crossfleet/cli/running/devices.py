"""The devices that slots need: from options, and from tables of a matrix file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any

from crossfleet.cli.exits import UsageError
from crossfleet.matching.quantity import parse_quantity

_WORD = re.compile(r"(?P<device_class>[A-Za-z][\w.-]*)(=(?P<count>[1-9]\d{0,3}))?(?P<amounts>(,[^,=]+=[^,=]+)*)")
_LEAST_MEMORY = 2**20  # less was meant in another unit


def add_devices(group: argparse._ArgumentGroup) -> None:
    """The option that asks for devices."""
    group.add_argument(
        "--devices",
        action="append",
        default=[],
        metavar="CLASS[=N][,CAPACITY=AMOUNT...]",
        help="each slot gets N (default 1) devices of a class, with so much of each: gpu, gpu=2, gpu=1,memory=4Gi. A device that "
        "is shareable is shared then. For targets that name no devices; repeatable",
    )


def devices_of(words: Sequence[str]) -> list[Mapping[str, Any]]:
    """The tables that `CLASS[=N][,CAPACITY=AMOUNT...]` stand for. Raises UsageError."""
    found: list[Mapping[str, Any]] = []
    for word in words:
        parts = _WORD.fullmatch(word)
        if parts is None:
            raise UsageError(
                f"--devices {word}: write CLASS, or CLASS=N, and how much of each, such as gpu=1,memory=4Gi"
            )
        pairs = [one.split("=") for one in parts["amounts"].split(",")[1:]]
        table = {"device_class": parts["device_class"].lower(), "count": int(parts["count"] or 1)}
        if pairs:
            table["capacities"] = dict(pairs)
        if len(dict(pairs)) < len(pairs):
            raise UsageError(f"--devices {word}: a capacity is given twice")
        if any(one["device_class"] == table["device_class"] for one in found):
            raise UsageError(f"--devices: class {table['device_class']} is given twice; say how many of it in one word")
        check_capacities(table, f"--devices {word}")
        found.append(table)
    return found


def check_capacities(table: Mapping[str, Any], where: str) -> None:
    """Raise UsageError where an amount of a table is none."""
    for name, amount in table.get("capacities", {}).items():
        try:
            fine = _amount(amount) > 0
        except ValueError as error:
            raise UsageError(f"{where}: {name}: {error}") from None
        if not fine:
            raise UsageError(f"{where}: {name}: {amount!r} is not a whole number from 1 on, or a quantity such as 4Gi")
        if name == "memory" and _amount(amount) < _LEAST_MEMORY:
            raise UsageError(f"{where}: memory: {amount} is in bytes, and less than 1Mi: write its unit, such as 4Gi")


def with_amounts(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table that was checked, with whole numbers for its amounts."""
    return {**table, "capacities": {name: _amount(amount) for name, amount in table.get("capacities", {}).items()}}


def _amount(amount: object) -> int:
    return parse_quantity(amount) if isinstance(amount, str) else amount if type(amount) is int else 0
