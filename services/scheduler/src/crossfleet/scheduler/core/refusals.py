"""Which placements the coordinator refused, and for how long they are not proposed again."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

_MOST_DOUBLINGS = 5


class Refusals:
    """Pairs of group and worker. A pair that is refused again waits twice as long, up to 32 times.

    A refusal is forgotten when its worker changed or its host gave something free, since it may hold no more.
    """

    def __init__(self, seconds: float) -> None:
        """The first refusal of a pair stands for so many seconds of the leader's clock."""
        self._seconds = seconds
        self._pairs: dict[tuple[str, str], tuple[float, int]] = {}

    def add(self, group_id: str, worker_id: str, now: float) -> None:
        """Note a refusal."""
        _, times = self._pairs.get((group_id, worker_id), (0.0, 0))
        until = now + self._seconds * 2 ** min(times, _MOST_DOUBLINGS)
        self._pairs[group_id, worker_id] = (until, times + 1)

    def forgive(self, workers: AbstractSet[str], groups: AbstractSet[str]) -> None:
        """Forget the pairs of these workers and groups."""
        if self._pairs:
            kept = (pair for pair in self._pairs if pair[0] not in groups and pair[1] not in workers)
            self._pairs = {pair: self._pairs[pair] for pair in kept}

    def standing(self, now: float) -> dict[str, frozenset[str]]:
        """For each group, the workers on which it is not proposed now."""
        found: dict[str, frozenset[str]] = {}
        for (group_id, worker_id), (until, _) in self._pairs.items():
            if until > now:
                found[group_id] = found.get(group_id, frozenset()) | {worker_id}
        return found

    def ends(self, now: float) -> Iterator[float]:
        """When those that still stand end."""
        return (until for until, _ in self._pairs.values() if until > now)
