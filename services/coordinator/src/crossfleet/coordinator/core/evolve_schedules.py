"""How facts about schedules change the state."""

from __future__ import annotations

from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.schedule import ScheduleChanged, ScheduleCreated, ScheduleDeleted


def schedule_created(state: State, event: ScheduleCreated) -> None:
    """There is a schedule."""
    state.schedules[event.schedule.name] = event.schedule
    state.schedule_specs[event.schedule.name] = event.spec


def schedule_changed(state: State, event: ScheduleChanged) -> None:
    """It stands elsewhere."""
    state.schedules[event.schedule.name] = event.schedule


def schedule_deleted(state: State, event: ScheduleDeleted) -> None:
    """It is gone."""
    del state.schedules[event.name], state.schedule_specs[event.name]
