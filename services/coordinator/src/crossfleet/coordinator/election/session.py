"""A lease of etcd, kept alive by a task, that gives itself up by its own clock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from crossfleet.coordinator.core.tenure import Tenure
from crossfleet.foundation import logs
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError, LeaseLost
from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.retry import delays

_REVOKE_SECONDS = 2.0
_LONGEST_PAUSE = 0.5


class Session:
    """One lease, from its grant to its end. `cluster` is the identity of the etcd that granted it."""

    def __init__(
        self, client: EtcdClient, lease: int, cluster: str, tenure: Tenure, clock: Clock, on_end: Callable[[], None]
    ) -> None:
        """Use `open_session`. Calls `on_end` once, when the lease must not be acted under any more."""
        self.lease, self.cluster = lease, cluster
        self._client, self._clock, self._on_end = client, clock, on_end
        self._tenure = tenure
        self._closed = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep())

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.remaining() <= 0

    def remaining(self) -> float:
        """Seconds for which it may be acted under; 0 when it must not."""
        return self._tenure.remaining(self._clock.monotonic())

    async def wait_ended(self) -> str:
        """Wait until it is over; says why."""
        return await asyncio.shield(self._ended)

    def end(self, why: str) -> None:
        """It is over from now on."""
        self._tenure = self._tenure.over()
        if not self._ended.done():
            self._ended.set_result(why)
            self._on_end()

    async def close(self) -> None:
        """Ends it, here and in etcd; if that cannot be reached it ends there by itself."""
        if self._closed:
            return
        self._closed = True
        self.end("resigned")
        self._keeping.cancel()
        try:
            async with asyncio.timeout(_REVOKE_SECONDS):
                await self._client.revoke_lease(self.lease)
        except (CrossfleetError, TimeoutError) as error:
            logs.get_logger().warning("the lease was not revoked; it ends by itself", cause=str(error) or "too late")

    async def _keep(self) -> None:
        try:
            self.end(await self._renew())
        finally:
            self.end("its renewal failed")  # nobody may wait for ever, whatever it was

    async def _renew(self) -> str:
        """Renews it in time, until that fails; says why."""
        pauses, cause = delays(longest=_LONGEST_PAUSE), ""
        while not self.ended:
            await self._clock.sleep(max(0.0, self._tenure.renewal_due - self._clock.monotonic()))
            sent = self._clock.monotonic()
            try:
                async with asyncio.timeout(self.remaining()):
                    ttl = await self._client.refresh_lease(self.lease)
            except LeaseLost as error:
                return error.message
            except (CrossfleetError, TimeoutError) as error:
                said = str(error) or cause or "no answer"
                if not cause:
                    logs.get_logger().warning("the lease was not renewed; it is tried again", cause=said)
                cause = said
                await self._clock.sleep(min(next(pauses), self.remaining()))
            else:
                self._tenure = self._tenure.renewed(sent, ttl, self._clock.monotonic())
                if cause:
                    logs.get_logger().info("the lease is renewed again", remaining=round(self.remaining(), 3))
                pauses, cause = delays(longest=_LONGEST_PAUSE), ""
        return f"the lease could not be renewed in time: {cause or 'this process stood still'}"


async def open_session(client: EtcdClient, ttl: float, clock: Clock, on_end: Callable[[], None]) -> Session:
    """A new lease of `ttl` seconds, rounded up to whole ones. Raises what the client raises."""
    sent = clock.monotonic()
    granted = await client.lease(math.ceil(ttl))
    return Session(
        client, granted.id, f"{granted.header.cluster_id:x}", Tenure(sent, float(granted.ttl)), clock, on_end
    )
