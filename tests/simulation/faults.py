"""Which faults a seed has. It enables a random subset of kinds, a large or a small one, so that rare combinations happen."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from tests.simulation.cluster_faults import CLUSTER
from tests.simulation.fault import Fault, Kind
from tests.simulation.fleet_faults import APART, BESIDE, FLEET

_FIRST, _LAST = 0.3, 9.0

KINDS: dict[str, Kind] = {**CLUSTER, **FLEET}


def make_faults(random: Random, kinds: Mapping[str, Kind] = KINDS) -> list[Fault]:
    """The faults of a seed, in the order of time."""
    share = random.choice([0.08, 0.2, 0.35])
    found = []
    for kind in [kind for kind in kinds if random.random() < share]:
        for _ in range(random.choice([1, 1, 2, 4])):
            at = random.uniform(_FIRST, _LAST)
            found.append(Fault(at, kind, random.randrange(12), random.choice([0.05, 0.5, 2.0, 6.0]) * random.random()))
    return sorted(found, key=lambda fault: fault.at)


def inflict(world: Any, fault: Fault) -> None:
    """Let it happen now."""
    (KINDS | BESIDE | APART)[fault.kind](world, fault)
