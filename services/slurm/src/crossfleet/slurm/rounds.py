"""Asking Slurm, from time to time, for what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.foundation.clock import Clock
from crossfleet.foundation.logs import get_logger
from crossfleet.slurm.commands import CommandFailed, Slurm
from crossfleet.slurm.core.piloting import Decision, Piloting
from crossfleet.slurm.core.pool import Order, Pilot, Stage
from crossfleet.slurm.core.telling import text_of
from crossfleet.slurm.stream import Stream


class Rounds:
    """Compares what waits with what Slurm lists, and acts on it. Without a stream nothing is submitted or cancelled.

    Of several streams only the newest counts: an older one is of a coordinator that leads no more. Nothing is ever
    submitted on an old list, so that a job whose submission got no answer is not submitted twice.
    """

    def __init__(self, piloting: Piloting, slurm: Slurm, clock: Clock, *, every: float, patience: float) -> None:
        """A round `every` so many seconds, for groups that have waited for `patience` seconds."""
        self._piloting = piloting
        self._slurm = slurm
        self._clock = clock
        self._every = every
        self._patience = patience
        self._newest: Stream | None = None
        self._listed = False
        self._failure = ""

    async def run(self, stream: Stream) -> None:
        """Runs until cancelled."""
        self._newest = stream
        try:
            while True:
                if self._newest is stream and stream.view.told:
                    await self._round(stream)
                await self._clock.sleep(self._every)
        finally:
            if self._newest is stream:
                self._newest = None

    async def _round(self, stream: Stream) -> None:
        now, view = self._clock.monotonic(), stream.view
        if self._listed and self._piloting.idle and not view.waiting(now, self._patience):
            stream.tell({})
            return
        try:
            pilots = await self._slurm.list()
        except CommandFailed as error:
            self._listed = False
            self._note(str(error))
            waits = self._piloting.decide(view, self._clock.monotonic()).waits
            stream.tell(dict.fromkeys(waits, f"Slurm: {error}"))
            return
        self._note("")
        if not self._listed and (open_ones := [one.job for one in pilots if one.stage is not Stage.ENDED]):
            get_logger().info("pilots of before are there", jobs=open_ones)
        self._listed = True
        for text in self._piloting.observe(pilots, view, self._clock.monotonic()):
            get_logger().warning("a pilot was of no use", cause=text)
        decision = self._piloting.decide(view, self._clock.monotonic())
        await self._carry_out(decision)
        if decision.submit:
            decision = self._piloting.decide(view, self._clock.monotonic())
        stream.tell({group: text_of(wait, self._clock.now()) for group, wait in decision.waits.items()})

    async def _carry_out(self, decision: Decision) -> None:
        for order in decision.submit:
            if not self._piloting.setbacks.why_not(order.shape.pool, self._clock.monotonic()):
                await self._submit(order)
        if decision.cancel:
            await self._cancel(decision.cancel)

    async def _submit(self, order: Order) -> None:
        pool = order.shape.pool
        try:
            job = await self._slurm.submit(order)
        except CommandFailed as error:
            self._piloting.setbacks.failed(pool, str(error), self._clock.monotonic())
            get_logger().warning("Slurm took no pilot", pool=pool, group=order.group_id, error=str(error))
            return
        self._piloting.submitted(Pilot(job, Stage.QUEUED, "PENDING", order=order))
        get_logger().info("pilot submitted", job=job, pool=pool, slots=order.slots, group=order.group_id)

    async def _cancel(self, jobs: Iterable[str]) -> None:
        try:
            await self._slurm.cancel(jobs)
        except CommandFailed as error:
            get_logger().warning("pilots could not be cancelled", jobs=list(jobs), error=str(error))
            return
        self._piloting.cancelled(jobs)
        get_logger().info("pilots cancelled: nobody waits for them", jobs=list(jobs))

    def _note(self, failure: str) -> None:
        """Log that Slurm does not answer, and that it does again; each once."""
        if failure != self._failure:
            self._failure = failure
            if failure:
                get_logger().warning("Slurm cannot be asked", error=failure)
            else:
                get_logger().info("Slurm answers again")
