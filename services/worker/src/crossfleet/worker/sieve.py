"""What of a detector's answer is taken: a device that is described wrongly is left out, and the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.translate.devices import device
from crossfleet.worker.translate.text import as_text

_NAME_BYTES = 100


def sift(answer: Sequence[Any], detector: str) -> tuple[list[Found], dict[str, str]]:
    """The devices that can be taken, and what is wrong with each other one, by its id or else its place in the answer."""
    taken: dict[str, Found] = {}
    wrong: dict[str, str] = {}
    for place, one in enumerate(answer, 1):
        name = one.get("device_id") if isinstance(one, dict) else None
        name = as_text(name, _NAME_BYTES) if isinstance(name, str) and name else f"number {place}"
        try:
            device(one, detector, 0.0)
        except ValueError as error:
            wrong[name] = str(error)
            continue
        if one["device_id"] in taken:
            wrong[f"number {place}"] = f"device_id is {name!r}, that of another one of its devices"
        else:
            taken[one["device_id"]] = one
    return list(taken.values()), wrong
