"""One stream of a coordinator's and one to the scheduler behind, coupled: all passes, and is read on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError, Unavailable
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.slurm import convert
from crossfleet.slurm.core.shaping import Suitability
from crossfleet.slurm.core.view import Group, View
from crossfleet.slurm.reasons import Reasons

_QUEUED = 64
"""Plans that wait for a coordinator which does not read; then the scheduler behind is not read either."""


class Stream:
    """What a coordinator has told on one stream, and a way to tell it why groups wait."""

    def __init__(self, name: str, suitability: Suitability, clock: Clock) -> None:
        """`name` is that of our jobs."""
        self.view = View()
        self._name = name
        self._suitability = suitability
        self._clock = clock
        self._reasons = Reasons(self._could_serve, lambda: self.view.has_workers)
        self._out: asyncio.Queue[scheduler_pb2.ScheduleResponse] = asyncio.Queue(_QUEUED)
        self._revision = 0
        self._told = 0

    async def plans(
        self,
        updates: AsyncIterator[scheduler_pb2.ScheduleRequest],
        call: Any,
        beside: Callable[[Stream], Coroutine[Any, Any, None]],
    ) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """Yield plans until the updates end; `beside` runs meanwhile. Raises Unavailable where the scheduler's end comes first."""
        forwarding = asyncio.ensure_future(self._forward(updates, call))
        hearing = asyncio.ensure_future(self._hear(call))
        tasks = {forwarding, hearing, asyncio.ensure_future(beside(self))}
        going = set(tasks)
        try:
            while not hearing.done() or not self._out.empty():
                following = asyncio.ensure_future(self._out.get())
                done, _ = await asyncio.wait([following, *going], return_when=asyncio.FIRST_COMPLETED)
                if following in done:
                    yield following.result()
                    continue
                following.cancel()
                going -= done
                for task in done:
                    task.result()
            if not forwarding.done():
                raise Unavailable("the scheduler behind the bridge ended the stream")
        except grpc.RpcError as error:
            raise _behind(error_from_rpc(error)) from error
        except (asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            # gRPC's words for writing to a stream that has just ended.
            raise Unavailable(f"the scheduler behind the bridge ended the stream: {error}") from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            call.cancel()

    def tell(self, texts: Mapping[str, str]) -> None:
        """What Slurm says of the groups that wait, by id; those that are not named have nothing to be told."""
        if self._out.full():
            return
        rows = self._reasons.update(texts, self.view.groups.keys())
        if rows:
            self._told += 1
            self._out.put_nowait(
                scheduler_pb2.ScheduleResponse(
                    plan_id=f"slurm-{self._told}", base_revision=self._revision, waiting=rows
                )
            )

    async def _forward(self, updates: AsyncIterator[scheduler_pb2.ScheduleRequest], call: Any) -> None:
        async for update in updates:
            changes = convert.changes_from(update, self._name)
            if changes is not None:
                self._reasons.served(self.view.apply(changes, self._clock.monotonic()))
            self._revision = update.revision
            await call.write(update)
        await call.done_writing()

    async def _hear(self, call: Any) -> None:
        async for plan in call:
            self._reasons.amend(plan)
            await self._out.put(plan)

    def _could_serve(self, group_id: str) -> bool:
        group: Group | None = self.view.groups.get(group_id)
        return group is not None and bool(self._suitability.shapes(group.request))


def _behind(error: CrossfleetError) -> Unavailable:
    return Unavailable(f"the scheduler behind the bridge: {error}")
