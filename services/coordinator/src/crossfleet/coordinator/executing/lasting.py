"""Which cases last, as workers said it the last time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.model import Attempt, State
from crossfleet.foundation.clock import Clock

_MOST_CASES = 1_000
"""Of one worker: more slots than any has."""

Told = Callable[[str, str, "tuple[LastingCase, ...]"], None]
"""Called with run, worker, and the cases of that run which last on it now."""


@dataclass(frozen=True, slots=True)
class LastingCase:
    """A case that has been running for a while; `since` by the clock's monotonic time."""

    run_id: str
    target: str
    case_index: int
    case_id: str
    slot: int
    attempt_id: int
    since: float


class Lasting:
    """The newest word of each worker that has a session."""

    def __init__(self, state: Callable[[], State], clock: Clock) -> None:
        """`state` answers the live state, which knows the attempts."""
        self._state = state
        self._clock = clock
        self._by_worker: dict[str, tuple[LastingCase, ...]] = {}
        self.told: Told = _to_nobody

    def said(self, worker_id: str, progress: worker_pb2.Progress) -> None:
        """A worker says what lasts there; attempts that are not its own are left out."""
        self._replace(worker_id, self._cases(worker_id, progress.slots[:_MOST_CASES]))

    def forget(self, worker_id: str) -> None:
        """The worker's session is over: what it does is not known any more."""
        self._replace(worker_id, ())

    def of_run(self, run_id: str) -> dict[str, tuple[LastingCase, ...]]:
        """By worker, the cases of a run that last and have no verdict yet."""
        found = {worker: tuple(filter(self._pending, _of(run_id, cases))) for worker, cases in self._by_worker.items()}
        return {worker: cases for worker, cases in found.items() if cases}

    def _pending(self, case: LastingCase) -> bool:
        attempt = self._state().attempts.get(case.attempt_id)
        return attempt is not None and case.case_index in attempt.pending

    def _replace(self, worker_id: str, cases: tuple[LastingCase, ...]) -> None:
        before = self._by_worker.pop(worker_id, ())
        if cases:
            self._by_worker[worker_id] = cases
        for run_id in {case.run_id for case in (*before, *cases)}:
            self.told(run_id, worker_id, _of(run_id, cases))

    def _cases(self, worker_id: str, slots: Iterable[worker_pb2.SlotProgress]) -> tuple[LastingCase, ...]:
        now, state = self._clock.monotonic(), self._state()
        found = []
        for one in slots:
            attempt = state.attempts.get(one.attempt_id)
            if attempt is None or attempt.worker_id != worker_id:
                continue
            case = canonical(state, attempt, one.case_index)
            if case is not None:
                since = now - max(0.0, one.seconds)
                target = state.groups[attempt.group_id].target.name
                found.append(LastingCase(attempt.run_id, target, *case, attempt.slot, attempt.attempt_id, since))
        return tuple(found)


def canonical(state: State, attempt: Attempt, local: int) -> tuple[int, str] | None:
    """The group's index and id of a case that a worker names by its own number; None where it is not the attempt's."""
    mapping = state.allocations[attempt.allocation_id].mapping
    index = local if not mapping else mapping[local] if 0 <= local < len(mapping) else -1
    return (index, state.groups[attempt.group_id].case_id(index)) if index in attempt.pending else None


def _of(run_id: str, cases: tuple[LastingCase, ...]) -> tuple[LastingCase, ...]:
    return tuple(case for case in cases if case.run_id == run_id)


def _to_nobody(run_id: str, worker_id: str, cases: tuple[LastingCase, ...]) -> None:
    return None
