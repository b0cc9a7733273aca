"""A shim that an agent of another version has started: it is used up, and then one of this version follows."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.foundation.logs import get_logger
from crossfleet.worker.core.holdings import Phase
from crossfleet.worker.core.link import Link
from crossfleet.worker.orders import Orders
from crossfleet.worker.shim.register import PROTOCOL
from crossfleet.worker.shimlink import Line, ShimLink

TAINT = "upgrading"
"""Keeps new work away from a worker whose shim is to be replaced."""


class Succession:
    """Ends the shim as soon as nothing would be lost by that. What runs in it goes on until then.

    A shim of another version goes on with its allocations, and gets no new ones: its code is in memory, and what it
    would start lies on disk in another version. Of a shim whose protocol is unknown only the words are used that all
    have: its running attempts end, their results are kept, and it gets no tasks.
    """

    def __init__(self, link: Link, shim: ShimLink, orders: Orders, version: str) -> None:
        """`version` is the one of this agent."""
        self._link = link
        self._shim = shim
        self._orders = orders
        self._version = version
        self._stopping = False
        self._foreign = False
        self.due = False

    def attached(self, line: Line) -> None:
        """A shim has answered."""
        version, protocol = str(line.get("version", "")), int(line.get("protocol") or 1)
        self._stopping = False
        self._foreign = protocol != PROTOCOL
        self.due = self._foreign or version != self._version
        self._orders.spent = ""
        if self.due:
            get_logger().info(
                "the shim is of another version: it is replaced when nothing runs in it",
                version=version or "unknown",
                protocol=protocol,
            )
        if self._foreign:
            self._orders.spent = f"the shim on this worker speaks protocol {protocol}, its agent {PROTOCOL}"

    def review(self, replayed: Callable[[], bool]) -> None:
        """Look whether its time has come. `replayed`: whether all that its journal held has arrived."""
        if not self.due or self._stopping:
            return
        for holding in self._link.holdings.all() if self._foreign else ():
            if not holding.running and holding.phase not in (Phase.CLOSING, Phase.ENDED):
                self._orders.close(holding.allocation)
        if not len(self._link.holdings) and not self._link.window.unacknowledged and replayed():
            self._stopping = True
            self._shim.send({"op": "stop"})
