"""Device classes that a run misspells: it would wait for nothing, and then fail as if the fleet were at fault."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.coordinator.core.commands import SubmitRun, TargetSpec
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.stopping import SETTLE_SECONDS
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import FieldViolation, TargetUnsatisfiable
from crossfleet.matching.classes import UNKNOWN, devices_by_class, misspelt_classes

_LOOK_SECONDS = 0.1
_FINDING_SECONDS = 6.0
"""Drivers of GPUs may take some seconds to tell what there is."""


async def refuse_slips(
    command: SubmitRun, state: Callable[[], State], clock: Clock, draining: Draining, *, embedded: bool
) -> None:
    """Raises TargetUnsatisfiable where no device is of a class that is asked for, and one has nearly that name.

    A fleet that has just begun is given as long as it has for runs that nothing satisfies; workers that look for devices, or have
    not come back to a new leader yet, a little longer: while there are such nothing is refused, nor where the run asked to wait.
    No target that could begin meanwhile waits for that, nor anybody while the coordinator goes down, or once an earlier call has
    committed the same request. Workers of an `embedded` fleet start with it: where there is none yet, they are on their way.
    """
    if not command.policy.fail_unsatisfiable or command.policy.unsatisfiable_wait > 0:
        return
    asked = [devices_by_class(target.request, state().selectors).keys() - {UNKNOWN} for target in command.targets]
    until, latest = clock.monotonic() + SETTLE_SECONDS, clock.monotonic() + max(SETTLE_SECONDS, _FINDING_SECONDS)
    while unknown := _unknown(set().union(*asked), state()):
        if command.request_id in state().requests or draining.begun:
            return
        found, living = _slip(command, state()), _living(state())
        looking = any(one.view.looking for one in living)
        more = looking or (embedded and not living)
        if found is None and not (more and all(classes & unknown for classes in asked)):
            return
        # What one without a session has is not known to a new leader yet.
        unsure = looking or not all(one.session_id for one in living)
        if clock.monotonic() >= (latest if unsure else until):
            if found is not None and living and not unsure:
                raise found
            return
        await clock.sleep(_LOOK_SECONDS)


def _unknown(classes: set[str], state: State) -> set[str]:
    """Those of which there is no device. Where there are some of each, not all of a large fleet is looked at."""
    left = classes
    for worker in state.workers.values() if classes else ():
        left = left.difference([device.device_class for device in worker.view.devices])
        if not left:
            break
    return left


def _slip(command: SubmitRun, state: State) -> TargetUnsatisfiable | None:
    known = {device.device_class for worker in state.workers.values() for device in worker.view.devices}
    for index, target in enumerate(command.targets):
        if target.template is not None and target.template.alternatives:
            continue  # what one fleet lacks is passed over there, and meant for another one
        for name, hint in misspelt_classes(target.request, known, state.selectors).items():
            text = f"no device of this fleet is of class {name!r}: {hint}"
            where = FieldViolation(f"spec.targets[{index}].{_field(target, name)}", text)
            return TargetUnsatisfiable(f"target {target.name}: {text}", target=target.name, fields=[where])
    return None


def _field(target: TargetSpec, name: str) -> str:
    found = (place for place, one in enumerate(target.request.devices) if one.device_class == name)
    place = next(found, None)
    return "selector" if place is None else f"request.devices[{place}].device_class"


def _living(state: State) -> list[Worker]:
    return [one for one in state.workers.values() if one.state is not WorkerState.LOST]
