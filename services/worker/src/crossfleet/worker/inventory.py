"""The devices of this worker: the processors at once, the others when their detectors have answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.worker.detectors.cpu import CpuDetector
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.search import Search
from crossfleet.worker.detectors.views import together
from crossfleet.worker.sieve import sift
from crossfleet.worker.translate.devices import device
from crossfleet.worker.translate.text import as_text

LOST = "lost"
STALE = "stale"
BROKEN = frozenset({LOST, "unhealthy"})
"""Conditions in which a device is good for nothing."""

_CPU = "cpu"
_ERROR_BYTES = 500


class Inventory:
    """What was found, and what could not be asked. `looked`: all detectors were asked once."""

    def __init__(
        self,
        search: Search,
        *,
        stale_seconds: float = 300.0,
        share: Collection[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        """The processors are known when this returns (a few milliseconds).

        Devices are stale when their detector has given no answer for `stale_seconds`. Those whose class or id is in `share` are
        shareable, whatever their detector says.
        """
        self._search = search
        self._stale_seconds = stale_seconds
        self._share = frozenset(share)
        self._now = now
        self._found: dict[str, Sequence[Found]] = {_CPU: CpuDetector().detect()}
        self._seen = {_CPU: now()}
        self._devices: dict[str, Device] = {}
        self._settled: frozenset[str] = frozenset()
        self._wrong: dict[str, dict[str, str]] = {}
        self._twins: dict[str, dict[str, str]] = {}
        self._kept: dict[tuple[str, str], float] = {}
        self.errors: dict[str, str] = {}
        self.looked = False
        self._put_together()

    @property
    def devices(self) -> list[Device]:
        """All devices, the processors first."""
        return list(self._devices.values())

    @property
    def by_id(self) -> Mapping[str, Device]:
        """All devices by id."""
        return self._devices

    @property
    def state(self) -> dict[str, bytes]:
        """All that is known of the devices but when they were seen: what tells one look from another."""
        told = {}
        for name, one in self._devices.items():
            undated = Device()
            undated.CopyFrom(one)
            undated.ClearField("probed_at")
            told[name] = undated.SerializeToString(deterministic=True)
        return told

    @property
    def troubles(self) -> dict[str, str]:
        """By detector, why it gave no answer, or which of its devices are left out, and why."""
        some = {name: _in_words(self.left_out(name)) for name in self._found}
        return {**{name: text for name, text in some.items() if text}, **self.errors}

    def left_out(self, detector: str) -> dict[str, str]:
        """The devices of a detector that are described wrongly, or called as one that another has found, and what is wrong."""
        return {**self._wrong.get(detector, {}), **self._twins.get(detector, {})}

    @property
    def has_more_than_processors(self) -> bool:
        """Whether another detector has found a device."""
        return any(one.detector != _CPU for one in self._devices.values())

    @property
    def names(self) -> set[str]:
        """Every class and id of a device."""
        return {name for one in self._devices.values() for name in (one.device_class, one.device_id)}

    @property
    def shared_in_vain(self) -> list[str]:
        """What is to be shared and is no device's class or id."""
        return sorted(self._share - self.names)

    async def look(self) -> bool:
        """Ask the other detectors; whether something is not as it was. Does not raise.

        A device that its detector does not find any more stays, in the condition `lost`; where a detector gives no answer, all
        of its devices stay as they were, but for the condition `stale` after a while; so does one that is described wrongly now. A
        detector of which all devices are views of others is asked again only when these are not the same any more.
        """
        before, there = self.state, self._there()
        answers = await self._search.all(without=self._settled | {_CPU})
        known = self._found.keys() - self._settled - {_CPU}
        for name in dict.fromkeys([*known, *answers]):
            self._take(name, answers.get(name, ()))
        self._put_together()
        self.looked = True
        self._settled = self._only_views() if self._there() == there else frozenset()
        return before != self.state

    def _take(self, name: str, answer: Sequence[Found] | str) -> None:
        """A detector has answered, or why it has not."""
        good, wrong = ([], {}) if isinstance(answer, str) else sift(answer, name)
        if wrong and not good:
            answer = f"what it found cannot be read: {_in_words(wrong)}"
        if isinstance(answer, str):
            self.errors[name] = as_text(answer, _ERROR_BYTES)
            return
        self.errors.pop(name, None)
        self._wrong[name] = wrong
        there = {one["device_id"] for one in good}
        kept = [one for one in self._found.get(name, ()) if one["device_id"] in wrong.keys() - there]
        since = {(name, one["device_id"]): self._seen[name] for one in kept}
        others = {key: at for key, at in self._kept.items() if key[0] != name}
        self._kept = {**others, **{key: self._kept.get(key, at) for key, at in since.items()}}
        self._found[name] = [*good, *kept]
        self._seen[name] = self._now()

    def _only_views(self) -> frozenset[str]:
        """The detectors that have answered, and of which all devices are views of others'."""
        listed = {one.detector for one in self._devices.values()} | self.errors.keys()
        return frozenset(name for name, found in self._found.items() if found and name not in listed)

    def _there(self) -> set[str]:
        return {name for name, one in self._devices.items() if LOST not in one.conditions}

    def _put_together(self) -> None:
        asked = {*self._found, *self.errors} - {_CPU}
        now = self._now()
        listed: dict[str, Device] = {}
        self._twins.clear()
        for name, found in together(self._found, asked):
            device_id = found["device_id"]
            if device_id in listed:
                why = f"device_id is that of a device which detector {listed[device_id].detector} has found"
                self._twins.setdefault(name, {})[device_id] = why
                continue
            kept = self._kept.get((name, device_id))
            seen = self._seen[name] if kept is None else kept
            one = listed[device_id] = device(found, name, seen)
            if (name in self.errors or kept is not None) and now - seen > self._stale_seconds:
                one.conditions.append(STALE)
            if not self._share.isdisjoint((one.device_id, one.device_class)):
                one.shareable = True
        for device_id, gone in self._devices.items():
            if device_id not in listed:
                gone.conditions[:] = [LOST]
                listed[device_id] = gone
        self._devices = listed


def _in_words(left_out: Mapping[str, str]) -> str:
    return as_text("; ".join(f"device {one} is left out: {why}" for one, why in left_out.items()), _ERROR_BYTES)
