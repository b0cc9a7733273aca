"""What is learnt of durations between commits, and under which key it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.commands import TargetSpec
from crossfleet.coordinator.core.model import Group, Run, State
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.core.whereabouts import asked
from crossfleet.coordinator.ledger.store import Observed

# Written between commits: no more at once than a commit may wait for.
_OBSERVED_AT_ONCE = 500

_CPU = "cpu"
_MEASURED = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.XFAILED, Outcome.XPASSED, Outcome.ERROR, Outcome.FLAKY})


def observations(state: State, events: Iterable[e.Event], at: float) -> list[Observed]:
    """What finished groups tell about durations."""
    found = []
    for event in events:
        if isinstance(event, e.GroupFinished) and event.group_id in state.groups:
            group = state.groups[event.group_id]
            seconds = [
                (case.case_id, group.seconds[index])
                for index, case in enumerate(group.cases)
                if group.seconds[index] > 0 and group.outcomes[index] in _MEASURED
            ]
            found += in_parts(suite_key(state.runs[group.run_id], group), seconds, at)
    return found


def in_parts(key: str, seconds: Sequence[tuple[str, float]], at: float) -> list[Observed]:
    """Seconds by case id, in parts that can be written between commits."""
    return [
        Observed(key, seconds[start : start + _OBSERVED_AT_ONCE], at)
        for start in range(0, len(seconds), _OBSERVED_AT_ONCE)
    ]


def suite_key(run: Run, group: Group) -> str:
    """Whose history a case's duration belongs to."""
    return duration_key(*group.suite(run), device_class(asked(group)), group.target.build)


def device_class(target: TargetSpec) -> str:
    """The class of the first device that a target asks for; a processor unless it names one."""
    devices = target.request.devices
    return (devices[0].device_class if devices else "") or _CPU


def duration_key(project: str, suite: str, runner: str, device: str, build: str = "") -> str:
    """Key of the duration table: project, suite, runner kind, device class, and the build where one is named."""
    return json.dumps([project, suite, runner, device, *([build] if build else [])])


def kindred_keys(suite: tuple[str, str, str], target: TargetSpec, state: State) -> list[str]:
    """Keys under which the same cases (of project, suite, runner kind) may be known too, the most similar first.

    The build without a name on the same class, then the classes of this fleet, with the same build first.
    """
    views = (worker.view for worker in state.workers.values())
    classes = sorted({_CPU, *(device.device_class for view in views for device in view.devices)})
    own = device_class(target)
    places = [(one, build) for one in (own, *classes) for build in dict.fromkeys((target.build, ""))]
    return [duration_key(*suite, *place) for place in dict.fromkeys(places) if place != (own, target.build)]
