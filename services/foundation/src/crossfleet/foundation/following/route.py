"""Where to go next: the addresses that were given, and the leader that coordinators name."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.installation import AddressInvalid
from crossfleet.foundation.errors.leadership import NoLeader, NotLeader
from crossfleet.foundation.serve.addresses import Address, UnixAddress, parse, parse_list

_MOST_HOPS = 2


class Seat(NamedTuple):
    """The coordinator that is asked at a time. `number` grows with each move: a failure on an earlier seat is old news."""

    address: str
    number: int


class Route:
    """One caller's way among coordinators. It decides; it does not wait, and connects to nothing.

    It begins at the first address given. A leader that is named comes next, when the same credentials may go there;
    after any other failure, and when leaders are only named and never found, comes the next of the given addresses,
    in an order of this caller's own, so that a thousand callers do not all turn to the same one.
    """

    def __init__(
        self, addresses: str, check: Callable[[str], None], *, draw: Callable[[], float] = random.random
    ) -> None:
        """`addresses` as for `parse_list`. `check(address)` raises where the caller's credentials may not go.

        Raises AddressInvalid, SocketPathTooLong, and what `check` raises of an address that was given.
        """
        first, *rest = map(str, parse_list(addresses))
        for address in (first, *rest):
            check(address)
        self.given = (first, *sorted(rest, key=lambda _: draw()))
        self.seat = Seat(first, 0)
        self.refusal: CrossfleetError | None = None
        self._check = check
        self._place = 0
        self._hops = 0
        self._at_once = False
        self._failed: set[str] = set()

    def settled(self, seat: Seat) -> None:
        """What was asked for was done there."""
        if seat.number == self.seat.number:
            self._hops = 0
            self._failed.clear()
            self.refusal = None

    @property
    def exhausted(self) -> bool:
        """Whether every address that was given has failed since something last succeeded."""
        return self._failed.issuperset(self.given)

    def turn(self, seat: Seat, error: CrossfleetError) -> bool:
        """Move on, since `error` came from `seat`. True: the next one need not be waited for, a leader was named.

        A failure of an earlier seat moves nothing: whoever told of it first has moved already.
        """
        if seat.number == self.seat.number:
            self._failed.add(seat.address)
            named = error.metadata.get("leader", "") if isinstance(error, (NotLeader, NoLeader)) else ""
            self._at_once = self._hops < _MOST_HOPS and named != seat.address and self._may_follow(named, seat.address)
            self._hops = self._hops + 1 if self._at_once else 0
            self.seat = Seat(named if self._at_once else self._next(seat.address), seat.number + 1)
        return self._at_once

    def _next(self, but: str) -> str:
        for _ in self.given:
            self._place = (self._place + 1) % len(self.given)
            if self.given[self._place] != but:
                break
        return self.given[self._place]

    def _may_follow(self, named: str, source: str) -> bool:
        if not named or named in self.given:
            return bool(named)
        try:
            _check_naming(parse(named), parse(source))
            self._check(named)
        except CrossfleetError as error:
            self.refusal = error
            return False
        return True


def _check_naming(named: Address, source: Address) -> None:
    """An address of one machine means another process, perhaps of somebody else, on the caller's. Raises AddressInvalid."""
    if _is_local(named) and not _is_local(source):
        raise AddressInvalid(
            f"the coordinator at {source} says that {named} leads, which only its own machine can reach: "
            "start that one with --advertise HOST:PORT, or add an address of it that is reached from here",
            address=named,
        )


def _is_local(address: Address) -> bool:
    return isinstance(address, UnixAddress) or address.is_loopback
