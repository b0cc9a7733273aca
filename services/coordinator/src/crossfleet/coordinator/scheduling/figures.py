"""How a scheduler fares, for operators."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.coordinator.core.breaker import Stage


@dataclass(slots=True)
class SchedulerFigures:
    """Counts since the coordinator started.

    `late`: of what was refused, what had held by what the scheduler knew. `answer_seconds`: the usual time of an answer, 0.0
    where that is not measured. `gangs`: it places them. `left_out`: how much its updates leave out now, since it cannot be put into
    words, and `left_out_names`: the first of that.
    """

    address: str = ""
    name: str = ""
    version: str = ""
    connected: bool = False
    plans: int = 0
    accepted: int = 0
    refused: int = 0
    late: int = 0
    last_refusal: str = ""
    answer_seconds: float = 0.0
    gangs: bool = False
    left_out: int = 0
    left_out_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SchedulerStanding:
    """A scheduler among the others: by which name, for which groups, and whether it is let decide.

    `stage` is None for the fallback, which has no breaker. `seconds`: for how long it has been at that stage, and
    `groups` the open ones for which it decides now.
    """

    name: str
    figures: SchedulerFigures
    groups: int
    stage: Stage | None = None
    cause: str = ""
    seconds: float = 0.0
    openings: int = 0
    pools: tuple[str, ...] = ()
    canary: float = 100.0
    deadline: float = 0.0
