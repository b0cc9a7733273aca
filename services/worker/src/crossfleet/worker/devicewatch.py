"""Looks at the devices from time to time, and ends what holds one that is gone or broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from crossfleet.foundation.logs import get_logger
from crossfleet.worker.core.holdings import Holding, Phase
from crossfleet.worker.core.link import Link
from crossfleet.worker.inventory import BROKEN, Inventory
from crossfleet.worker.opening import Openings
from crossfleet.worker.shimlink import ShimLink
from crossfleet.worker.translate import downward, upward

_CAUSE = "device_lost"


class DeviceWatch:
    """The one who asks the inventory to look, but for tests of single devices."""

    def __init__(
        self,
        inventory: Inventory,
        link: Link,
        openings: Openings,
        shim: ShimLink,
        *,
        every: float,
        tell: Callable[[], None],
        wake: Callable[[], None],
        again: float = 600.0,
    ) -> None:
        """`every` so many seconds (0: once); `tell` is called when devices or errors are not what they were, and once in `again`
        seconds so that it shows that they are still looked at."""
        self._inventory = inventory
        self._link = link
        self._openings = openings
        self._shim = shim
        self._every = every
        self._tell = tell
        self._wake = wake
        self._told = inventory.state
        self._told_at = time.monotonic()
        self._again = again
        self._errors: dict[str, str] = {}
        self._in_vain: list[str] = []
        self._told_that_looked = False
        self._one = asyncio.Lock()

    async def run(self) -> None:
        """Look until cancelled; only once where there are no devices but processors, and every detector has said so."""
        while True:
            await self.look()
            if not self._every or not (self._inventory.has_more_than_processors or self._inventory.errors):
                return
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Look now: say what has changed, and end what cannot go on. Does not raise."""
        async with self._one:
            await self._inventory.look()
        errors, state, now = self._inventory.troubles, self._inventory.state, time.monotonic()
        for detector, cause in errors.items():
            if self._errors.get(detector) != cause:
                silent = detector in self._inventory.errors
                what = "a detector gave no answer" if silent else "devices of a detector are left out"
                get_logger().warning(what, detector=detector, cause=cause)
        self._warn_of_nothing_to_share()
        same = self._told_that_looked and (state, errors) == (self._told, self._errors)
        if not same or now - self._told_at >= self._again:
            self._told, self._errors, self._told_at, self._told_that_looked = state, errors, now, True
            self._tell()
        for holding in self._link.holdings.all():
            self._end_without(holding)

    def _warn_of_nothing_to_share(self) -> None:
        in_vain = self._inventory.shared_in_vain
        if in_vain and in_vain != self._in_vain:
            known = sorted(self._inventory.names)
            get_logger().warning("--share: no device here has such a class or id", share=in_vain, known=known)
        self._in_vain = in_vain

    def depends(self, attempt: int) -> bool:
        """Whether an attempt holds a device that may have been lost: any but processors."""
        holding = self._link.holdings.of(attempt)
        about = self._openings.abouts.get(holding.allocation) if holding else None
        found = self._inventory.by_id
        held = about.devices_without(holding.given_back) if about and holding else ()
        return any(one not in found or found[one].detector != "cpu" for one in held)

    def _end_without(self, holding: Holding) -> None:
        """Its end is told at once, whatever its runner still does: results that come later are of nobody's attempt."""
        about = self._openings.abouts.get(holding.allocation)
        held = about.devices_without(holding.given_back) if about else ()
        lost = [one for one in held if self._is_lost(one)]
        if not lost or holding.phase in (Phase.CLOSING, Phase.ENDED):
            return
        name = holding.allocation
        message = f"{', '.join(lost)} of {name} is lost: its detector does not find it any more, or calls it broken"
        get_logger().error("a device was lost", allocation=name, devices=lost)
        if self._openings.cancel(name) or name in self._openings.instants:
            self._openings.end(name, _CAUSE, message)
            return
        if holding.running:
            self._shim.send(downward.cancel_line(holding.running, 0.0))
        self._shim.send(downward.close_line(name))
        holding.advance(Phase.ENDED)
        self._link.ended(name, upward.ended(name, _CAUSE, message))
        self._wake()

    def _is_lost(self, device_id: str) -> bool:
        """One that was never seen is lost where every detector has answered well: an earlier agent had seen it."""
        device = self._inventory.by_id.get(device_id)
        return not self._inventory.troubles if device is None else bool(BROKEN.intersection(device.conditions))
