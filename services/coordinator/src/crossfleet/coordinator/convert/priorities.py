"""Priority classes as messages, and the class of a run that is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.core.priority_class import DEFAULT, PriorityClass
from crossfleet.coordinator.core.quoting import quoted

MOST_PRIORITY = 1000
_MOST_GRACE = 86_400.0
_MOST_NAME = 64
_MOST_PROJECTS = 100


def class_from(message: admin_pb2.PriorityClass) -> PriorityClass:
    """A priority class as it was asked for. Raises InvalidArgument for what it cannot be."""
    checks, path = Checks(), "priority_class"
    if checks.name(message.name, f"{path}.name"):
        number = message.name.removeprefix("-").isdecimal()
        checks.require(not number, f"{path}.name", "a word: numbers are priorities themselves")
    checks.require(
        -MOST_PRIORITY <= message.priority <= MOST_PRIORITY,
        f"{path}.priority",
        f"from -{MOST_PRIORITY} to {MOST_PRIORITY}",
    )
    grace = message.grace.ToNanoseconds() / 1e9 if message.HasField("grace") else None
    if grace is not None:
        checks.require(message.preemptible, f"{path}.grace", "only of a class that is preemptible")
        checks.require(0 <= grace <= _MOST_GRACE, f"{path}.grace", "0 to a day")
    checks.require(len(message.projects) <= _MOST_PROJECTS, f"{path}.projects", f"at most {_MOST_PROJECTS}")
    for index, project in enumerate(message.projects):
        checks.name(project, f"{path}.projects[{index}]")
    checks.finish("the priority class")
    projects = tuple(sorted(set(message.projects)))
    return PriorityClass(message.name, message.priority, message.preempts, message.preemptible, grace, projects)


def class_message(one: PriorityClass) -> admin_pb2.PriorityClass:
    """A priority class as it stands."""
    message = admin_pb2.PriorityClass(
        name=one.name,
        priority=one.priority,
        preempts=one.preempts,
        preemptible=one.preemptible,
        projects=one.projects,
    )
    if one.grace is not None:
        message.grace.FromNanoseconds(int(one.grace * 1e9))
    return message


def class_messages(classes: Mapping[str, PriorityClass]) -> list[admin_pb2.PriorityClass]:
    """All, the highest priority first."""
    return [class_message(one) for one in sorted(classes.values(), key=lambda one: (-one.priority, one.name))]


def classify(checks: Checks, spec: run_pb2.RunSpec, classes: Mapping[str, PriorityClass]) -> PriorityClass | None:
    """The class of a run, whose priority is filled in; none where it names none and there is no class for such runs."""
    policy, path = spec.policy, "spec.policy.priority_class"
    name = policy.priority_class or (DEFAULT if not policy.priority else "")
    usable = {one.name: one for one in classes.values() if not one.projects or spec.project in one.projects}
    if not checks.size(name, path, _MOST_NAME):
        return None
    found = usable.get(name)
    if found is None:
        checks.require(not policy.priority_class, path, _allowed(name, spec.project, classes, list(usable)))
        return None
    checks.require(
        policy.priority in {0, found.priority},
        "spec.policy.priority",
        f"not beside a class: that of {name} is {found.priority}",
    )
    policy.priority_class, policy.priority = found.name, found.priority
    return found


def _allowed(name: str, project: str, classes: Mapping[str, PriorityClass], usable: list[str]) -> str:
    """What to say of a class that a project may not use, or that there is not."""
    there = (
        f"project {project} may use {', '.join(sorted(usable))}"
        if usable
        else f"this fleet has none for project {project}, `crossfleet admin priority set` makes one"
    )
    if name in classes:
        own = ", ".join(classes[name].projects)
        return f"a class that is open to the project: {name} is for {own} alone; {there if usable else 'change one of both'}"
    near = get_close_matches(name, usable, 1)
    return f"a class that there is, not {quoted(name)}: " + (f"did you mean {near[0]!r}?" if near else there)
