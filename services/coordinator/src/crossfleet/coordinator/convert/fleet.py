"""Workers and requests as planners and schedulers see them."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.coordinator.core.model import Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.model import WorkerState as ViewState

_VIEW_STATES = {
    WorkerState.READY: ViewState.READY,
    WorkerState.SUSPECT: ViewState.SUSPECT,
    WorkerState.DRAINING: ViewState.DRAINING,
    WorkerState.LOST: ViewState.LOST,
}


def view_now(worker: Worker) -> WorkerView:
    """A worker as planners see it, with the state that it is in now."""
    return replace(worker.view, state=_VIEW_STATES[worker.state])


def request_message(request: Request) -> suite_pb2.Request:
    """What a target's slots need, as schedulers see it."""
    return suite_pb2.Request(
        cpu_cores=request.cpu_cores,
        memory_bytes=request.memory_bytes,
        devices=[
            suite_pb2.DeviceRequest(device_class=one.device_class, selector=one.selector, count=one.count)
            for one in request.devices
        ],
        slots_min=request.slots_min,
        slots_max=request.slots_max,
        exclusive=request.exclusive,
        tolerations=sorted(request.tolerations),
        gang=request.gang,
    )
