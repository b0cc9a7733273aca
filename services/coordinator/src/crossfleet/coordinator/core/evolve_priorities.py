"""How facts about priority classes change the state."""

from __future__ import annotations

from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.priority_class import AllocationPreempted, PriorityClassRemoved, PriorityClassSet


def priority_class_set(state: State, event: PriorityClassSet) -> None:
    """There is such a class; runs that were submitted before keep what theirs was."""
    state.priority_classes[event.priority_class.name] = event.priority_class


def priority_class_removed(state: State, event: PriorityClassRemoved) -> None:
    """It is gone."""
    del state.priority_classes[event.name]


def allocation_preempted(state: State, event: AllocationPreempted) -> None:
    """What still executes there has a time at which it is ended."""
    state.preempted[event.allocation_id] = event.at + event.seconds
