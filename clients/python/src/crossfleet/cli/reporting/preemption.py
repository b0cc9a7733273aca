"""Whose slots a run may take by its priority class, and who may take its own, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crossfleet.api.coordinator.v1.admin_service_pb2 import PriorityClass
from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.reporting.prospects import rough

_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Preemption:
    """What classes are to a run of the class `name`: it `takes_from` some and `gives_to` others, after `grace` seconds (None: between two tasks)."""

    name: str
    takes_from: Sequence[str]
    gives_to: Sequence[str]
    grace: float | None

    def lines(self) -> Iterator[str]:
        """As people read it."""
        if self.takes_from:
            yield f"of class {self.name}: where nothing is free it takes slots from runs of {', '.join(self.takes_from)}"
        if self.gives_to:
            yield f"of class {self.name}: may be preempted by runs of {', '.join(self.gives_to)}; {self._left()}. That is not counted here"

    def document(self) -> dict[str, object]:
        """As programs do."""
        return {
            "class": self.name,
            "takes_from": list(self.takes_from),
            "gives_to": list(self.gives_to),
            "grace_seconds": self.grace,
        }

    def _left(self) -> str:
        if self.grace is None:
            return "it then gives slots back between two tasks"
        after = f"may go on for {rough(self.grace)}" if self.grace else "is ended at once"
        return f"a case then {after}, and is executed again elsewhere if it has not passed"


def preemption(classes: Sequence[PriorityClass], spec: run_pb2.RunSpec) -> Preemption | None:
    """What it is for a run that is not submitted yet; None where it has no class, or nobody takes anything from anybody."""
    own = _own(classes, spec)
    if own is None:
        return None
    lower = [one.name for one in classes if own.preempts and one.preemptible and one.priority < own.priority]
    higher = [one.name for one in classes if own.preemptible and one.preempts and one.priority > own.priority]
    grace = own.grace.ToNanoseconds() / 1e9 if own.HasField("grace") else None
    return Preemption(own.name, lower, higher, grace) if lower or higher else None


def _own(classes: Sequence[PriorityClass], spec: run_pb2.RunSpec) -> PriorityClass | None:
    """The one that it names, or where it names neither class nor priority the one of such runs."""
    policy, project = spec.policy, spec.project or "default"
    name = policy.priority_class or ("" if policy.priority else _DEFAULT)
    return next((one for one in classes if one.name == name and project in (one.projects or (project,))), None)
