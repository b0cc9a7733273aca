"""Schedules are made, paused and removed; their times come, and become runs one after the other."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.coordinator.core.commands import SubmitScheduled
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import Run, State
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.core.schedule import (
    CreateSchedule,
    DeleteSchedule,
    Missed,
    Overlap,
    PauseSchedule,
    Schedule,
    ScheduleChanged,
    ScheduleCreated,
    ScheduleDeleted,
    TimesCame,
)
from crossfleet.coordinator.core.stopping import halt
from crossfleet.coordinator.core.submitting import submit_run

MOST_WAITING = 100
"""Times of one schedule that may wait for their turn, where each missed one is to be made up for."""
MOST_SCHEDULES = 1_000
_NOTE_CHARACTERS = 500


def create_schedule(emit: Emitter, command: CreateSchedule) -> None:
    """Make a schedule, or with `replace` another one of the same name. The same again changes nothing."""
    new, known = command.schedule, emit.state.schedules.get(command.schedule.name)
    if known is not None and _same(known, new) and emit.state.schedule_specs[new.name] == command.spec:
        return
    if known is not None and not command.replace:
        text = f"there is a schedule {new.name} that says something else: replace or delete it, or choose another name"
        raise Refused("ALREADY_EXISTS", text, "schedule.name", name=new.name)
    if known is None and len(emit.state.schedules) >= MOST_SCHEDULES:
        raise Refused("STATE_CONFLICT", f"there are {MOST_SCHEDULES} schedules already: delete some", "schedule.name")
    emit(ScheduleCreated(new, command.spec))


def _same(one: Schedule, other: Schedule) -> bool:
    """Whether two say the same, wherever they stand."""

    def said(schedule: Schedule) -> tuple[object, ...]:
        return (schedule.project, schedule.cron, schedule.timezone, schedule.missed, schedule.overlap)

    return said(one) == said(other)


def pause_schedule(emit: Emitter, command: PauseSchedule) -> None:
    """Let its times pass; or with `paused` False keep them again, from the next one on."""
    schedule = _known(emit.state, command.name)
    if schedule.paused != command.paused:
        emit(ScheduleChanged(replace(schedule, paused=command.paused, waiting=(), next_at=command.next_at)))


def delete_schedule(emit: Emitter, command: DeleteSchedule) -> None:
    """Remove a schedule; runs that it made stay."""
    _known(emit.state, command.name)
    emit(ScheduleDeleted(command.name))


def _known(state: State, name: str) -> Schedule:
    schedule = state.schedules.get(name)
    if schedule is None:
        raise Refused("SCHEDULE_NOT_FOUND", f"no schedule {name!r}", "name", schedule=name)
    return schedule


def times_came(emit: Emitter, command: TimesCame) -> None:
    """Times are to become runs, as far as the run before allows it. One who has seen an older state is ignored."""
    schedule = _current(emit.state, command.name, command.schedule_id)
    if schedule is None or schedule.next_at != command.seen:
        return
    waiting, note = schedule.waiting, command.note or schedule.note
    for at in command.times:
        run = open_run(emit.state, schedule)
        if run is None and not waiting:
            waiting = (at,)
        elif schedule.overlap is Overlap.SKIP:
            note = f"a time was left out: {run.run_id if run else 'the one before'} was not over"
        elif schedule.overlap is Overlap.QUEUE:
            kept = MOST_WAITING if schedule.missed is Missed.ALL else 1
            if len(waiting) >= kept:
                note = "a time was left out: too many waited already"
            waiting = (*waiting, at)[-kept:]
        else:
            waiting = (at,)
            if run is not None:
                halt(emit, run, f"the next run of schedule {schedule.name} was due", cancelled=True)
    emit(ScheduleChanged(replace(schedule, waiting=waiting, next_at=command.next_at, note=note)))


def submit_scheduled(emit: Emitter, command: SubmitScheduled) -> None:
    """The first time that waits becomes a run, or cannot, as the note says. One who has seen an older state is ignored."""
    schedule = _current(emit.state, command.name, command.schedule_id)
    if schedule is None or schedule.waiting[:1] != (command.at,) or open_run(emit.state, schedule) is not None:
        return
    rest, note, run_id = schedule.waiting[1:], command.note, ""
    if command.submit is not None:
        try:
            run_id = submit_run(emit, command.submit).run_id
        except Refused as refused:
            note = refused.rejection.message
    if run_id:
        emit(ScheduleChanged(replace(schedule, waiting=rest, last_at=command.at, last_run=run_id)))
    else:
        text = f"a time made no run: {note}"[:_NOTE_CHARACTERS]
        emit(ScheduleChanged(replace(schedule, waiting=rest, note=text)))


def open_run(state: State, schedule: Schedule) -> Run | None:
    """The last run that a schedule made, unless it is over."""
    run = state.runs.get(schedule.last_run)
    return None if run is None or run.state is RunState.FINISHED else run


def _current(state: State, name: str, schedule_id: str) -> Schedule | None:
    """The schedule, if it is the one that is meant and is to be kept."""
    schedule = state.schedules.get(name)
    return None if schedule is None or schedule.paused or schedule.schedule_id != schedule_id else schedule
