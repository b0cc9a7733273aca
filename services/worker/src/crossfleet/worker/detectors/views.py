"""Puts together what several detectors say of one device, so that nothing is listed twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from crossfleet.worker.detectors.detector import Found

Named = tuple[str, Found]
"""A device, and the detector that has found it."""


def together(found: Mapping[str, Sequence[Found]], asked: Iterable[str]) -> Iterator[Named]:
    """All devices, each of a detector once: views are added to the devices that they show, the one of the highest version last.

    A view that shows none is a device of its own, but for one of the processors, and one whose maker has a detector here
    (`asked`): that one has left the device out since it is somebody else's, or will say it later.
    """
    makers = set(asked)
    alone: dict[tuple[str, str], Named] = {}
    views = []
    for detector, devices in found.items():
        for one in devices:
            if "adds" in one:
                views.append((detector, one))
            else:
                alone[detector, one["device_id"]] = (detector, one)
    for detector, view in sorted(views, key=lambda named: _order(named[1])):
        shown = next((known for known in alone.values() if same(known[1], view)), None)
        if shown is not None:
            alone[shown[0], shown[1]["device_id"]] = (shown[0], _added(shown[1], view))
        elif view["device_class"] != "cpu" and _attributes(view).get("vendor") not in makers:
            alone[detector, view["device_id"]] = (detector, view)
    yield from alone.values()


def same(one: Found, view: Found) -> bool:
    """Whether a view shows this device: by its PCI address, else by its UUID; all processors of a host are one."""
    if view["device_class"] == "cpu" or one["device_class"] == "cpu":
        return bool(view["device_class"] == one["device_class"])
    mine, others = _attributes(one), _attributes(view)
    if mine.get("pci") and others.get("pci"):
        return bool(mine["pci"] == others["pci"])
    return bool(mine.get("uuid")) and _digits(mine["uuid"]) == _digits(others.get("uuid", ""))


def _added(one: Found, view: Found) -> Found:
    shown = _attributes(view)
    return {**one, "attributes": {**_attributes(one), **{name: shown[name] for name in view["adds"] if name in shown}}}


def _attributes(one: Found) -> Mapping[str, Any]:
    return one.get("attributes") or {}


def _order(view: Found) -> tuple[list[int], str]:
    """By version, and where that is the same in an order that does not change."""
    versions = [value["version"] for value in _attributes(view).values() if isinstance(value, dict)]
    return [int(part) for part in re.findall(r"\d+", versions[0])] if versions else [], str(view["device_id"])


def _digits(uuid: Any) -> str:
    """The sixteen bytes of a UUID, however it is written."""
    return re.sub(r"[^0-9a-f]", "", str(uuid).lower().removeprefix("gpu-"))
