"""Priority classes: what runs of one are to others; their commands and facts."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "default"
"""The class of runs that name neither a class nor a priority, where there is one of this name."""


@dataclass(frozen=True, slots=True)
class PriorityClass:
    """What runs of a class are to others; a larger `priority` goes first. A run keeps what its class was at its submission.

    With `preempts` its groups take slots from groups of lower priority whose class is `preemptible`; a case that executes there
    then has `grace` seconds, or until it ends (None). Only `projects` may use it, or all where none is named.
    """

    name: str
    priority: int
    preempts: bool = False
    preemptible: bool = False
    grace: float | None = None
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetPriorityClass:
    """A person makes a class, or changes what one is to runs to come."""

    priority_class: PriorityClass


@dataclass(frozen=True, slots=True)
class RemovePriorityClass:
    """A person removes a class; its runs keep what it was."""

    name: str


@dataclass(frozen=True, slots=True)
class PriorityClassSet:
    """There is such a class from now on."""

    priority_class: PriorityClass


@dataclass(frozen=True, slots=True)
class PriorityClassRemoved:
    """There is no such class."""

    name: str


@dataclass(frozen=True, slots=True)
class AllocationPreempted:
    """What still executes in an allocation that is closing is ended so many seconds after `at`."""

    run_id: str
    allocation_id: str
    worker_id: str
    seconds: float
    at: float


PriorityFact = PriorityClassSet | PriorityClassRemoved | AllocationPreempted
