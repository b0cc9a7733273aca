"""Which faults come, when and how long: drawn from one seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEADER_LEASE, WORKER_LEASE = 2.0, 4.0


@dataclass(frozen=True, slots=True)
class Row:
    """What a kind strikes, how often it comes in one round of all, how long it lasts, and how many it kills."""

    area: str
    weight: int
    seconds: tuple[float, float] = (0.0, 0.0)
    kills: int = 0


KINDS: dict[str, Row] = {
    "kill the leader": Row("coordinators", 4, kills=1),
    "kill a follower": Row("coordinators", 2, kills=1),
    "kill all coordinators": Row("coordinators", 1, kills=3),
    "kill an agent": Row("workers", 4, kills=1),
    "kill a shim": Row("workers", 2, kills=1),
    "kill a worker with its tests": Row("workers", 2, kills=1),
    "kill a scheduler": Row("schedulers", 3, kills=1),
    "kill the gateway": Row("gateway", 2, kills=1),
    "kill a member of etcd": Row("etcd", 3, (0.2, 2.0), kills=1),
    "kill two members of etcd": Row("etcd", 1, (1.0, 4.0), kills=2),
    "kill PostgreSQL": Row("database", 2, (0.2, 2.0), kills=1),
    "freeze the leader shortly": Row("coordinators", 1, (0.1, 0.8)),
    "freeze the leader over its lease": Row("coordinators", 2, (1.5 * LEADER_LEASE, 2.5 * LEADER_LEASE)),
    "freeze a worker shortly": Row("workers", 1, (0.1, 0.4 * WORKER_LEASE)),
    "freeze a worker over its lease": Row("workers", 1, (1.2 * WORKER_LEASE, 1.6 * WORKER_LEASE)),
    "freeze an agent over its lease": Row("workers", 1, (1.2 * WORKER_LEASE, 1.6 * WORKER_LEASE)),
    "freeze a scheduler": Row("schedulers", 1, (0.5, 3.0)),
    "freeze a member of etcd": Row("etcd", 1, (0.5, 3.0)),
    "freeze PostgreSQL": Row("database", 1, (0.2, 3.0)),
    "restart the leader": Row("coordinators", 2),
    "restart an agent": Row("workers", 2),
    "restart PostgreSQL": Row("database", 1),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `member` chooses among parts of one sort, `seconds` is how long it lasts, `pause` what follows it."""

    kind: str
    member: int
    seconds: float
    pause: float

    @property
    def area(self) -> str:
        """What it strikes: faults of different areas may overlap."""
        return KINDS[self.kind].area

    @property
    def kills(self) -> int:
        """How many processes it kills by SIGKILL."""
        return KINDS[self.kind].kills


def drawn(seed: int, kinds: Sequence[str] = (), pause: tuple[float, float] = (0.5, 3.0)) -> Iterator[Fault]:
    """Faults without end: round after round, each kind as often as its weight says, in an order by chance."""
    chance = random.Random(seed)
    chosen = list(kinds) or list(KINDS)
    while True:
        every = [kind for kind in chosen for _ in range(1 if kinds else KINDS[kind].weight)]
        chance.shuffle(every)
        for kind in every:
            yield Fault(kind, chance.randrange(1000), chance.uniform(*KINDS[kind].seconds), chance.uniform(*pause))
