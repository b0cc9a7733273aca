"""One caller's patience: a call that is tried again, here or elsewhere, until a coordinator does it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.leadership import NotLeader, StaleEpoch
from crossfleet.foundation.errors.load import DeadlineExceeded, Unavailable
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.following.attention import answered
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.probe import probe

T = TypeVar("T")

FIRST_CONTACT_SECONDS = 2.0
"""How long a fleet of which no coordinator has ever answered is tried: its address is rather wrong than away."""
_FIRST_DELAY = 0.05
_MOST_DELAY = 2.0
_PROBE_SECONDS = 2.0
_ALIVE_SECONDS = 25.0
"""A stream that fails later than this had come to stand: a connection that does not come up fails long before."""


class Pursuit:
    """`begin` before each try, `advanced` when something came of it, `after` each failure.

    `seconds`: for how long nothing but failures may come before it is given up; each address given is tried before
    that. Pauses double up to 2 s, each drawn from nothing to that, and the channel's budget bounds the tries of all
    callers. `passing` are reasons that another try at the same place may cure.
    """

    def __init__(
        self,
        channel: FollowingChannel,
        seconds: float,
        *,
        passing: frozenset[str] = frozenset(),
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._channel = channel
        self.seconds = seconds
        self._passing = passing
        self._draw = draw
        self._ceiling = _FIRST_DELAY
        self._began = channel.clock.monotonic()
        self._failing_since: float | None = None
        self.seat = channel.seat

    async def begin(self) -> None:
        """Choose the coordinator of the next try. Raises Unavailable where none listens, as the try itself would."""
        self._began = self._channel.clock.monotonic()
        self.seat = seat = self._channel.seat
        # Where there is a choice, a host that is not there must not cost the whole time of a call.
        if self.has_choice and self._channel.probed != seat.number:
            await probe(seat.address, _PROBE_SECONDS)
            self._channel.probed = seat.number

    @property
    def has_choice(self) -> bool:
        """Whether there is another coordinator to turn to."""
        given = self._channel.route.given
        return len(given) > 1 or self.seat.address not in given

    def advanced(self) -> None:
        """The present try has brought something: whatever fails from now on is a new outage."""
        self._failing_since = None
        self._ceiling = _FIRST_DELAY
        self._channel.met = True
        self._channel.budget.succeeded()
        self._channel.route.settled(self.seat)

    async def after(self, failure: CrossfleetError | grpc.RpcError) -> None:
        """Wait as long as is right after `failure`; the next try may go elsewhere.

        Raises it as CrossfleetError where no coordinator would answer otherwise, and Unavailable, or the last refusal, when it has
        lasted too long.
        """
        error = failure if isinstance(failure, CrossfleetError) else error_from_rpc(failure)
        channel, route = self._channel, self._channel.route
        channel.met = channel.met or not isinstance(error, (Unavailable, DeadlineExceeded))
        if not self._may_pass(error):
            raise error from failure.__cause__ if error is failure else failure
        now = channel.clock.monotonic()
        was_alive = now - self._began > _ALIVE_SECONDS and not isinstance(error, DeadlineExceeded)
        if self._failing_since is None or was_alive:
            self._failing_since = now
        elsewhere = _elsewhere(error)
        within_budget = self.seat.number != channel.seat.number or channel.budget.failed()
        at_once = elsewhere and route.turn(self.seat, error)
        if route.refusal is not None and route.exhausted:
            raise route.refusal from error
        left = self._limit() - self.failing
        if not within_budget or (left <= 0 and (route.exhausted or not elsewhere)):
            raise self._given_up(error) from error
        await channel.tidy()
        if not at_once:
            await self._pause(error, left)

    async def _pause(self, error: CrossfleetError, left: float) -> None:
        delay = self._draw() * self._ceiling
        if error.retry_after is not None:
            delay = error.retry_after * (1.0 + self._draw() / 4)
        self._ceiling = min(_MOST_DELAY, self._ceiling * 2)
        await self._channel.clock.sleep(min(delay, max(left, _FIRST_DELAY)))

    def _may_pass(self, error: CrossfleetError) -> bool:
        if isinstance(error, DeadlineExceeded):
            return len(self._channel.route.given) > 1
        return error.retry_after is not None or error.reason in self._passing or _elsewhere(error)

    @property
    def failing(self) -> float:
        """For how many seconds there have been nothing but failures, as far as is known; 0 before the first."""
        since = self._failing_since
        return 0.0 if since is None else self._channel.clock.monotonic() - since

    def _limit(self) -> float:
        return self.seconds if self._channel.met else min(self.seconds, FIRST_CONTACT_SECONDS)

    def _given_up(self, error: CrossfleetError) -> CrossfleetError:
        if not isinstance(error, Unavailable):
            return error
        places = ", ".join(self._channel.route.given)
        return Unavailable(
            f"no coordinator answered for {self.failing:.0f} s at {places}: {error.message}", address=places
        )


def _elsewhere(error: CrossfleetError) -> bool:
    """Whether another coordinator may answer otherwise."""
    known = isinstance(error, (NotLeader, StaleEpoch, DeadlineExceeded))
    return known or error.code is grpc.StatusCode.UNAVAILABLE


async def pursue(channel: FollowingChannel, attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The answer of `attempt()`, made again until a coordinator gives one. Only for what may be repeated.

    Raises what `Pursuit.after` raises.
    """
    pursuit = Pursuit(channel, seconds)
    while True:
        try:
            await pursuit.begin()
            # Where nobody else can answer, one who is slow is not disturbed by the same once more.
            answer = await (answered(channel, pursuit.seat, attempt) if pursuit.has_choice else attempt())
        except (grpc.RpcError, CrossfleetError) as failure:
            await pursuit.after(failure)
        else:
            pursuit.advanced()
            return answer
