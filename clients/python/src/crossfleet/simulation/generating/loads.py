"""What kinds of loads there are: which groups come, and when."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from crossfleet.simulation.trace.rows import DeviceRequestRow, PriorityClassRow, RequestRow

_DAY = 24.0
_LONGEST = 3600.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A group without name and time."""

    kind: str
    cases: list[float]
    priority: int = 0
    request: RequestRow = field(default_factory=RequestRow)
    setup: float = 3.0


Draw = Callable[[Random], Drawn]


def _cases(random: Random, number: float, spread: float, seconds: float, sigma: float) -> list[float]:
    """Log-normal in number and in seconds; `number` and `seconds` are medians."""
    many = min(max(round(random.lognormvariate(math.log(number), spread)), 1), 20_000)
    return [_rounded(random.lognormvariate(math.log(seconds), sigma)) for _ in range(many)]


def _rounded(seconds: float) -> float:
    return round(min(max(seconds, 0.001), _LONGEST), 3)


def _interactive(random: Random) -> Drawn:
    return Drawn("interactive", _cases(random, 60, 0.8, 0.4, 1.0), priority=5)


def _batch(random: Random) -> Drawn:
    return Drawn("batch", _cases(random, 500, 1.0, 1.0, 1.2))


def _gpu(random: Random) -> Drawn:
    request = RequestRow(devices=[DeviceRequestRow(device_class="gpu")])
    return Drawn("gpu", _cases(random, 80, 0.7, 4.0, 0.8), request=request, setup=15.0)


def _tailed(random: Random) -> Drawn:
    many = min(max(round(random.lognormvariate(math.log(200), 1.2)), 1), 20_000)
    return Drawn("tail", [_rounded(0.2 * random.paretovariate(1.15)) for _ in range(many)])


def _gang(random: Random) -> Drawn:
    hosts, slots = random.choice((2, 2, 3, 4, 6)), random.choice((1, 2, 4))
    cases = [_rounded(random.lognormvariate(math.log(40), 0.5)) for _ in range(hosts * slots * random.randint(1, 4))]
    return Drawn("gang", cases, request=RequestRow(gang=hosts, slots_min=slots), setup=10.0)


def _benchmark(random: Random) -> Drawn:
    return Drawn("benchmark", _cases(random, 30, 0.5, 5.0, 0.5), request=RequestRow(exclusive=True, slots_max=4))


@dataclass(frozen=True, slots=True)
class Load:
    """A line for people; what comes with which odds; how the rate goes over the hour of a day; the part that comes in bursts."""

    text: str
    draws: Mapping[Draw, float]
    rate: Callable[[float], float]
    bursts: float = 0.0

    def draw(self, random: Random) -> Drawn:
        """The next group."""
        return random.choices([*self.draws], [*self.draws.values()])[0](random)


CLASSES = {
    "urgent": PriorityClassRow(priority=100, preempts=True),
    "interactive": PriorityClassRow(priority=5),
    "batch": PriorityClassRow(priority=-10, preemptible=True, grace_seconds=30.0),
}
"""Priority classes of those loads: what is urgent takes slots from what is no person's."""

_URGENT = 0.05
_SOON_SECONDS, _SOON_SLOTS = 60.0, 8


def drawn_class(drawn: Drawn, random: Random) -> str:
    """The priority class of a group; a few of any kind are urgent."""
    urgent = random.random() < _URGENT
    return "urgent" if urgent else "interactive" if drawn.priority > 0 else "batch"


def drawn_span(drawn: Drawn, random: Random) -> float:
    """For how many seconds after its submission somebody who sets a group a deadline can wait for its end."""
    alone = max(sum(drawn.cases) / _SOON_SLOTS, *drawn.cases)
    return _SOON_SECONDS + alone * random.uniform(1.5, 6.0)


def _even(hour: float) -> float:
    return 1.0


def _working_day(hour: float) -> float:
    """Most at three in the afternoon, a tenth of that at three in the morning."""
    return 0.55 - 0.45 * math.cos(2 * math.pi * (hour % _DAY - 3.0) / _DAY)


LOADS: dict[str, Load] = {
    "day": Load(
        "a working day: interactive runs follow its hours, larger ones and some on GPUs between them",
        {_interactive: 0.7, _batch: 0.2, _gpu: 0.1},
        _working_day,
    ),
    "bursts": Load(
        "half of the work comes in bursts, each of one project within a minute",
        {_interactive: 0.6, _batch: 0.4},
        _even,
        bursts=0.5,
    ),
    "tail": Load(
        "cases of which a few last a thousand times as long as most",
        {_tailed: 0.8, _interactive: 0.2},
        _even,
    ),
    "gangs": Load(
        "gangs and whole workers among small work that could keep them out",
        {_interactive: 0.6, _batch: 0.2, _gang: 0.15, _benchmark: 0.05},
        _even,
    ),
}
