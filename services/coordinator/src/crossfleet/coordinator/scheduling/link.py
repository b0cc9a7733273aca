"""Keeps one stream to a scheduler: dials it again and again, tells it what changed, commits what of its plans holds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler_grpc
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core.commands import ApplyPlan, WaitingReason
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.usage import Usage
from crossfleet.coordinator.scheduling.alone import CODE, Alone
from crossfleet.coordinator.scheduling.conduct import Conduct
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.coordinator.scheduling.hearer import Hearer
from crossfleet.coordinator.scheduling.left_out import LeftOut
from crossfleet.coordinator.scheduling.losses import Losses
from crossfleet.coordinator.scheduling.sight import Sight
from crossfleet.coordinator.scheduling.teller import Teller
from crossfleet.coordinator.sessions.session import Commit
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.wait import first_of

_DESCRIBE_SECONDS = 5.0
_FIRST_RETRY, _LAST_RETRY = 0.02, 1.0
# A stream that ends earlier is one more failure: a scheduler that always breaks off is not dialled in a loop.
_STEADY_SECONDS = 5.0
_NAME_CHARACTERS = 200
_GANGS = "gangs"
_ABSENT = "the scheduler is not connected"


class SchedulerLink:
    """One scheduler, as long as the coordinator leads."""

    def __init__(
        self,
        address: str,
        token_file: str,
        state: Callable[[], State],
        commit: Commit,
        clock: Clock,
        notice_seconds: float,
        usage: Usage | None = None,
        *,
        authority: str = "",
        figures: SchedulerFigures | None = None,
        sight: Sight | None = None,
        conduct: Conduct | None = None,
        losses: Losses | None = None,
    ) -> None:
        """`state` answers the state as it is; groups are told after `notice_seconds` without a scheduler that they wait for it.

        `usage` counts what projects have; without it schedulers hear nothing of shares. `authority`: file of the one that
        signed the scheduler's certificate; empty: no TLS. `sight`: for which groups it decides; None: for all.
        """
        self.figures = figures or SchedulerFigures(address=address)
        self._address = address
        self._token_file, self._authority = token_file, authority
        self._state, self._commit, self._clock = state, commit, clock
        self._notice = notice_seconds
        self._sight = sight
        mine = None if sight is None else sight.mine
        self._conduct = conduct or Alone(self.figures, state, commit, clock, mine)
        self._left_out = LeftOut(self.figures, state, commit)
        self.teller = Teller(state, clock, usage, sight, self._conduct, self._left_out)
        self._hearer = Hearer(self.teller, self.figures, state, commit, sight, self._conduct, losses, clock)
        self.foreseen = self.teller.foreseen
        self.committed = self.teller.committed
        self._log = get_logger()
        self._told = ""

    async def run(self) -> None:
        """Runs until cancelled."""
        retry = _FIRST_RETRY
        away_since = self._clock.monotonic()
        while True:
            if self._address and _there(self._address):
                begun = self._clock.monotonic()
                try:
                    await self._connected()
                except grpc.RpcError as error:
                    self._tell_away(str(error_from_rpc(error)))
                except (CrossfleetError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
                    # InvalidStateError: gRPC's word for writing to a stream that has just ended.
                    self._tell_away(str(error))
                except Exception as unexpected:  # noqa: BLE001 - whatever was said, it ends this stream and no leader
                    self._log.error("a scheduler's stream failed", address=self._address, exc_info=unexpected)
                    self._tell_away(f"its stream failed: see the log of the coordinator ({type(unexpected).__name__})")
                now = self._clock.monotonic()
                if self.figures.connected and now - begun >= _STEADY_SECONDS:
                    retry, away_since = _FIRST_RETRY, now
                self.figures.connected = False
            else:
                self._conduct.lost(f"there is nothing at {self._address}")
            if self._clock.monotonic() - away_since >= self._notice:
                await self._tell_that_all_wait()
            await self._clock.sleep(max(retry, self._conduct.rest_left()))
            retry = min(retry * 2, _LAST_RETRY)

    def ask_again(self) -> None:
        """It is to answer once more, though nothing has changed; not while the ledger is slow to take what it has said."""
        if not self._hearer.committing:
            self.teller.repeat()

    def _tell_away(self, cause: str) -> None:
        """Log why it is away, once for each cause."""
        self._conduct.lost(cause)
        if cause != self._told:
            self._told = cause
            self._log.warning("the scheduler is away", address=self._address, error=cause)

    async def _connected(self) -> None:
        """One stream from Describe to its end. Raises what ended it."""
        async with open_channel(self._address, token_file=self._token_file, tls_authority=self._authority) as channel:
            stub = scheduler_grpc.SchedulerServiceStub(channel)
            described = await stub.Describe(scheduler_pb2.DescribeRequest(), timeout=_DESCRIBE_SECONDS)
            call = stub.Schedule()
            figures = self.figures
            figures.name, figures.version = described.name[:_NAME_CHARACTERS], described.version[:_NAME_CHARACTERS]
            figures.gangs = _GANGS in described.abilities
            figures.connected = True
            self.teller.begin()
            self._hearer.begin()
            self._conduct.connected()
            self._told = ""
            self._log.info("scheduler connected", address=self._address, name=figures.name)
            telling = self.teller.tell(call, snapshots_only=described.snapshots_only, wants_fits=described.wants_fits)
            try:
                hearing = (self._hearer.hear(call), self._hearer.commit_plans())
                await first_of(telling, *hearing, self._conduct.watch(), self._left_out.name())
            finally:
                call.cancel()

    async def _tell_that_all_wait(self) -> None:
        """Without a scheduler nothing is placed; waiting without a reason would be a defect."""
        state = self._state()
        waiting = tuple(
            WaitingReason(group.group_id, False, CODE, _ABSENT)
            for group in state.groups.values()
            if plans.open_group(state, group)
            and not group.allocations
            and group.waiting_text != _ABSENT
            and (self._sight is None or self._sight.mine(group))
        )
        if waiting:
            try:
                await self._commit(ApplyPlan(plan_id="", waiting=waiting))
            except CrossfleetError as error:
                self._log.warning("groups could not be told why they wait", error=str(error))


def _there(address: str) -> bool:
    """Whether dialling makes sense: gRPC waits longer after a failure than a local scheduler takes to start."""
    return not address.startswith("unix:") or os.path.exists(address.removeprefix("unix:"))
