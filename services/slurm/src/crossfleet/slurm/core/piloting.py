"""Which pilots to submit and which to cancel, and what to tell those who wait."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from crossfleet.slurm.core.pool import Order, Pilot, Pool, Shape, Stage
from crossfleet.slurm.core.setbacks import Setbacks
from crossfleet.slurm.core.shaping import Suitability
from crossfleet.slurm.core.view import Group, View

# In one round; the others have the same reasons, and their turn comes.
_MOST_GROUPS = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """``pilots``: the most at once. ``at_once``: the most in one round. A slot is asked for ``slot_seconds`` of work.

    ``patience_seconds``: how long a group wants slots before Slurm is asked, and how long a worker that has just come
    counts as still to be used. ``linger_seconds``: how long a queued pilot is kept that nobody waits for.
    """

    pilots: int = 64
    at_once: int = 8
    slot_seconds: float = 60.0
    patience_seconds: float = 2.0
    linger_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a group waits for Slurm: the pilots that are for it, and what stands in the way of more."""

    pilots: tuple[Pilot, ...] = ()
    hindrance: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now. ``waits`` has every waiting group that Slurm could serve."""

    submit: tuple[Order, ...] = ()
    cancel: tuple[str, ...] = ()
    waits: Mapping[str, Wait] = field(default_factory=dict)


class Piloting:
    """Remembers between rounds only what Slurm does not say: refusals, who has joined, and since when a pilot is idle.

    A pilot that is queued, or runs and has not joined, counts with all its slots; one that has joined with none: what
    it has free is placed by the scheduler, and who waits all the same waits for more.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        suitability: Suitability,
        limits: Limits,
        name: str,
        logs: str = "/tmp",  # noqa: S108
    ) -> None:
        """`name` is that of our jobs; the worker of a pilot is called NAME-JOB, its output is LOGS/NAME-JOB.log."""
        self._pools = {pool.name: pool for pool in pools}
        self._suitability = suitability
        self._limits = limits
        self._name = name
        self._logs = logs
        self.setbacks = Setbacks()
        self._unwanted: dict[str, float] = {}
        self._open: dict[str, Pilot] = {}
        self._joined: set[str] = set()

    def observe(self, pilots: Sequence[Pilot], view: View, now: float) -> list[str]:
        """What Slurm lists now. A pilot that ended without having been used is a setback for its pool; answers these."""
        lost: list[str] = []
        listed = {one.job: one for one in pilots}
        for job, before in self._open.items():
            self._note_worker(job, before, view)
            ended = listed.get(job, before)
            if (job not in listed or ended.stage is Stage.ENDED) and self._worker(job) not in view.used:
                text = self._useless(job, ended)
                lost.append(text)
                self.setbacks.failed(_pool(before), text, now)
        self._open = {one.job: one for one in pilots if one.stage is not Stage.ENDED}
        self._joined &= self._open.keys()
        view.forget_but([self._worker(job) for job in self._open])
        self._unwanted = {job: since for job, since in self._unwanted.items() if job in self._open}
        return lost

    def _note_worker(self, job: str, pilot: Pilot, view: View) -> None:
        """What the worker of a pilot shows: what its pool is like, and, once it got something, that all is well."""
        worker = view.seen.get(self._worker(job))
        if worker is None:
            return
        if job not in self._joined:
            self._joined.add(job)
            if pilot.order is not None:
                self._suitability.learn(worker, pilot.order.shape)
        if worker.name in view.used:
            self.setbacks.worked(_pool(pilot))

    def _useless(self, job: str, ended: Pilot) -> str:
        if job in self._joined:
            return f"job {job} ended without its worker having got any work"
        state = f" ({ended.state.lower()})" if ended.stage is Stage.ENDED else ""
        return f"job {job} ended before its worker joined the fleet{state}: see {self._logs}/{self._worker(job)}.log"

    def submitted(self, pilot: Pilot) -> None:
        """A pilot was taken by Slurm."""
        self._open[pilot.job] = pilot

    def cancelled(self, jobs: Iterable[str]) -> None:
        """Pilots that were cancelled by us, which is no setback."""
        for job in jobs:
            self._open.pop(job, None)

    @property
    def idle(self) -> bool:
        """Whether there is no pilot."""
        return not self._open

    def decide(self, view: View, now: float) -> Decision:
        """For those who wait, by turn: first what is coming, then new pilots within the limits."""
        held = view.held()
        coming = {one.job: one.order.slots for one in self._coming(view, now) if one.order}
        used: set[str] = set()
        orders: list[Order] = []
        counts = Counter(_pool(one) for one in self._open.values())
        waits: dict[str, Wait] = {}
        for group in view.waiting(now, self._limits.patience_seconds)[:_MOST_GROUPS]:
            shapes = self._suitability.shapes(group.request)
            if not shapes:
                continue
            need = self._need(group, held[group.id], shapes)
            mine = [self._open[job] for job in coming if self._serves(job, shapes)]
            for one in mine:
                taken = min(coming[one.job], need)
                coming[one.job] -= taken
                need -= taken
                if taken:
                    used.add(one.job)
            hindrance = self._order(group, need, shapes, orders, counts, now)
            waits[group.id] = Wait(tuple(mine), hindrance)
        return Decision(tuple(orders), tuple(self._unneeded(used, now)), waits)

    def _coming(self, view: View, now: float) -> list[Pilot]:
        found = []
        for job, pilot in self._open.items():
            since = view.joined.get(self._worker(job))
            # Whoever left again does not come twice.
            gone = since is None and job in self._joined
            if not gone and (since is None or now - since < self._limits.patience_seconds):
                found.append(pilot)
        return found

    def _worker(self, job: str) -> str:
        return f"{self._name}-{job}"

    def _serves(self, job: str, shapes: Collection[Shape]) -> bool:
        order = self._open[job].order
        return order is not None and order.shape in shapes

    def _need(self, group: Group, held: int, shapes: Sequence[Shape]) -> int:
        """The slots worth asking for. One pilot finds out what there is to do, and then the estimate decides."""
        if not group.collected:
            return 0 if held else min(group.wanted_slots, self._pools[shapes[0].pool].slots)
        worth = group.wanted_slots
        if group.estimated_seconds > 0 and self._limits.slot_seconds > 0:
            worth = max(ceil(group.estimated_seconds / self._limits.slot_seconds), group.request.slots_min) - held
        return max(min(group.wanted_slots, worth), 0)

    def _order(
        self, group: Group, need: int, shapes: Sequence[Shape], orders: list[Order], counts: Counter[str], now: float
    ) -> str:
        """Add orders for what is still needed; answers what hinders more."""
        hindrances: list[str] = []
        for shape in shapes:
            pool = self._pools[shape.pool]
            while need > 0:
                why_not = self._why_not(pool, counts, now)
                if why_not:
                    hindrances.append(why_not)
                    break
                if len(orders) == self._limits.at_once:
                    return ""
                slots = max(min(pool.slots, need), group.request.slots_min)
                orders.append(Order(shape, slots, group.id))
                counts[pool.name] += 1
                need -= slots
        return "; ".join(dict.fromkeys(hindrances)) if need > 0 else ""

    def _why_not(self, pool: Pool, counts: Counter[str], now: float) -> str:
        if counts.total() >= self._limits.pilots:
            return f"all {self._limits.pilots} pilots are in use"
        if counts[pool.name] >= pool.pilots:
            return f"all {pool.pilots} pilots of pool {pool.name} are in use"
        return self.setbacks.why_not(pool.name, now)

    def _unneeded(self, used: Collection[str], now: float) -> list[str]:
        """Queued pilots that nobody has waited for during a while."""
        found = []
        for job, pilot in self._open.items():
            if pilot.stage is not Stage.QUEUED or job in used:
                self._unwanted.pop(job, None)
            elif now - self._unwanted.setdefault(job, now) >= self._limits.linger_seconds:
                found.append(job)
        return found


def _pool(pilot: Pilot) -> str:
    return pilot.order.shape.pool if pilot.order else ""
