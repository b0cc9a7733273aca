"""What a person says of a device instead of its detector; its command and fact, and the view that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from crossfleet.matching.model import HIDDEN, Attribute, Device, WorkerView


@dataclass(frozen=True, slots=True)
class Override:
    """All that is said of one device, the last time by `author` (as who calls claims), at `at` in unix seconds, for `reason`.

    `attributes` stand for those that its detector reports, or beside them. One that is `hidden` gets no work.
    """

    attributes: dict[str, Attribute] = field(default_factory=dict)
    hidden: bool = False
    reason: str = ""
    author: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class OverrideDevice:
    """A person says more of a device, or takes it back: the names to `restore`, or first of all everything with `clear`.

    `hidden` is None where nothing is said of that.
    """

    worker_id: str
    device_id: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    restore: tuple[str, ...] = ()
    hidden: bool | None = None
    clear: bool = False
    reason: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class DeviceOverridden:
    """What is said of a device from now on; None: nothing, its detector alone counts."""

    worker_id: str
    device_id: str
    override: Override | None


def overridden(view: WorkerView, overrides: Mapping[str, Override]) -> WorkerView:
    """The view in which devices are as overrides say; those of devices that it does not have wait for them."""
    if not overrides:
        return view
    devices = (_overridden(one, overrides[one.id]) if one.id in overrides else one for one in view.devices)
    return replace(view, devices=tuple(devices))


def _overridden(device: Device, override: Override) -> Device:
    said = override.attributes
    amounts = {name: value for name, value in said.items() if name in device.capacities and type(value) is int}
    return replace(
        device,
        attributes={**device.attributes, **said},
        capacities={**device.capacities, **amounts},
        conditions=device.conditions | {HIDDEN} if override.hidden else device.conditions,
        overridden=frozenset(said),
    )
