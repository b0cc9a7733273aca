"""Wishes of a run that its fleet cannot heed. They are told once, when the run has slots: then its workers are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from crossfleet.api.coordinator.v1 import event_service_pb2 as wire
from crossfleet.api.types.v1 import device_pb2, run_pb2
from crossfleet.cli.running.view import View
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

_AWAY = frozenset((device_pb2.WORKER_STATE_LOST,))
_LAST_SECONDS = 2.0


class Wishes:
    """Asks for the fleet's workers when a run that has such wishes gets its first slots."""

    def __init__(self, client: Client, spec: run_pb2.RunSpec, view: View) -> None:
        self._client, self._spec, self._view = client, spec, view
        self._telling: asyncio.Task[None] | None = None

    def heed(self, event: wire.Event) -> None:
        """Take note of the first slots."""
        wishes = self._spec.policy.speculate_percent or _least_of(self._spec)
        if wishes and self._telling is None and event.HasField("allocation_opened"):
            self._telling = asyncio.ensure_future(self._tell())

    async def finish(self) -> None:
        """Wait for what has still to be told, a moment at most."""
        if self._telling is not None:
            await asyncio.wait((self._telling,), timeout=_LAST_SECONDS)
            self._telling.cancel()

    async def _tell(self) -> None:
        try:
            workers = [status.worker async for status in self._client.fleet.workers()]
        except CrossfleetError:
            return  # the run is what matters, and says by itself where the fleet is gone
        for line in unheeded(self._spec, [one for one in workers if one.state not in _AWAY]):
            self._view.note(line)


def unheeded(spec: run_pb2.RunSpec, workers: Sequence[device_pb2.Worker]) -> Iterator[str]:
    """What of a run's wishes makes no difference with these workers, and why."""
    hosts = {worker.host or worker.worker_id for worker in workers}
    if spec.policy.speculate_percent and len(hosts) == 1:
        yield f"--speculate: a case is executed a second time on another host, and all workers are on {hosts.pop()}"
    known = {name for worker in workers for name in _names(worker)}
    for name in _least_of(spec):
        if workers and name not in known:
            near = get_close_matches(name, sorted(known), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield f"--prefer-least {name}: no worker has such a label, and no device such an attribute: all are equal{hint}"


def _least_of(spec: run_pb2.RunSpec) -> list[str]:
    """What targets want least of, each once."""
    return list(dict.fromkeys(one.request.prefer_least for one in spec.targets if one.request.prefer_least))


def _names(worker: device_pb2.Worker) -> Iterator[str]:
    yield from worker.labels
    for device in worker.devices:
        yield from device.attributes
        yield from device.capacities
