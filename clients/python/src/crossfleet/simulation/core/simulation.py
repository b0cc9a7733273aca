"""A trace as it is played: arrivals and ends in the order of their times, and plans whenever they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crossfleet.matching.fit import eligible, room
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Misfit
from crossfleet.matching.model import Request
from crossfleet.matching.selectors import Selectors
from crossfleet.simulation.core.accounts import Accounts
from crossfleet.simulation.core.arrivals import Arrival, GroupCame, WorkerCame, WorkerLost
from crossfleet.simulation.core.breaches import Broken, examine_group
from crossfleet.simulation.core.cases import Cases
from crossfleet.simulation.core.fleet import Changes, Fleet
from crossfleet.simulation.core.judging import Judge
from crossfleet.simulation.core.measures import Results
from crossfleet.simulation.core.model import Allocation, Group, Outcome, Plan, Worker


class Simulation:
    """Plays one trace. It knows no scheduler: whoever plays it tells it plans, and reads `fleet.changes`."""

    def __init__(
        self,
        arrivals: Iterator[Arrival],
        weights: Mapping[str, float] | None = None,
        half_life: float = 86400.0,
        grace: float | None = None,
    ) -> None:
        """At the beginning. `half_life` of what projects held, in seconds; `grace`: see `_revoke`."""
        self.fleet = Fleet(Accounts(weights or {}, half_life))
        self.selectors = Selectors()
        self._arrivals = arrivals
        self._next = next(arrivals, None)
        self._grace = grace
        self._rooms: dict[Request, list[tuple[float, int]]] = {}

    @property
    def now(self) -> float:
        """Seconds since the beginning of the trace."""
        return self.fleet.now

    def due(self) -> float | None:
        """When something happens next without a plan; None where nothing does any more."""
        ends, comes = self.fleet.due(), self._next.at if self._next else None
        return comes if ends is None else ends if comes is None else min(ends, comes)

    def advance(self, to: float) -> None:
        """Let happen what happens up to that time, and with it."""
        while True:
            ends, arrival = self.fleet.due(), self._next
            if ends is not None and ends <= to and (arrival is None or ends <= arrival.at):
                self.fleet.now = max(ends, self.now)
                self.fleet.end_next()
            elif arrival is not None and arrival.at <= to:
                self.fleet.now = max(arrival.at, self.now)
                self._next = next(self._arrivals, None)
                self._take(arrival)
            else:
                break
        self.fleet.now = max(to, self.now)

    def take_changes(self) -> Changes:
        """What changed since the last time."""
        taken, self.fleet.changes = self.fleet.changes, Changes()
        return taken

    def apply(self, plan: Plan) -> Outcome:
        """Carry out what of a plan holds, refuse the rest. Raises Broken."""
        fleet, measures = self.fleet, self.fleet.measures
        for allocation_id in plan.revoke:
            allocation = fleet.allocations.get(allocation_id)
            if allocation is not None and allocation.closing is None and not _kept(allocation.group):
                self._revoke(allocation)
        grants, refused = Judge(fleet.workers, fleet.groups, self.selectors).judge(plan.allocate)
        accepted = fleet.open(grants)
        for grant in grants:
            examine_group(grant.group)
        for group_id in plan.never:
            group = fleet.groups.get(group_id)
            if group is not None and not group.allocations:
                fleet.give_up(group)
        measures.plans += 1
        measures.granted += len(grants)
        measures.refused.update(one.reason for one in refused)
        if refused:
            measures.last_refusal = f"{refused[-1].reason}: {refused[-1].text}"
        return Outcome(plan.plan_id, tuple(accepted), tuple(refused))

    def results(self) -> Results:
        """What it came to. Raises Broken."""
        fleet, measures = self.fleet, self.fleet.measures
        for group in fleet.groups.values():
            examine_group(group)
            measures.left(group)
        if measures.submitted != measures.finished + len(fleet.groups):
            raise Broken(f"{measures.submitted} groups came, {measures.finished} ended, {len(fleet.groups)} are left")
        for level in (measures.busy, measures.held, measures.slots, measures.queue):
            level.change(0, measures.last)
        accounts, never = fleet.accounts, sum(one.never for one in fleet.groups.values())
        return Results(
            measures, tuple(accounts.end(self.now)), accounts.contended, len(fleet.groups) - never, unsatisfiable=never
        )

    def _take(self, arrival: Arrival) -> None:
        fleet = self.fleet
        match arrival:
            case WorkerCame():
                name = arrival.view.name
                self.selectors.learn([arrival.view])
                worker = fleet.workers[name] = Worker(arrival.view, arrival.speed)
                fleet.accounts.came(worker, self.now)
                fleet.measures.slots.change(arrival.view.slots_total, self.now)
                self._fleet_changed(name)
            case WorkerLost():
                self._lose(fleet.workers[arrival.worker_id])
            case GroupCame():
                self._submit(arrival)

    def _submit(self, came: GroupCame) -> None:
        cases = Cases(came.cases)
        group = Group(
            came.id,
            came.project,
            came.kind,
            came.priority,
            came.request,
            self.now,
            came.setup,
            cases,
            len(cases),
            came.deadline,
            came.standing,
        )
        group.alone = self._alone(group)
        self.fleet.groups[group.id] = group
        self.fleet.measures.came(group, self.now)
        self.fleet.measures.queue.change(1, self.now)
        self.fleet.rewish(group)

    def _lose(self, worker: Worker) -> None:
        fleet = self.fleet
        for one in [*worker.allocations.values()]:
            if one.id not in fleet.allocations:
                continue  # The loss of another one ended its group.
            gang = one.group if one.group.request.gang > 1 else None
            fleet.interrupt(one)
            for other in [*gang.allocations.values()] if gang else ():
                fleet.give_back(other)
        fleet.accounts.gone(worker, self.now)
        fleet.measures.slots.change(-worker.view.slots_total, self.now)
        fleet.measures.workers_lost += 1
        del fleet.workers[worker.view.name]
        self._fleet_changed(worker.view.name)

    def _fleet_changed(self, name: str) -> None:
        self._rooms.clear()
        self.fleet.change(name)

    def _revoke(self, allocation: Allocation) -> None:
        """Slots are given back between two tasks; what then still runs after the grace, if there is one, is ended.

        That of its priority class, else that of the simulation.
        """
        fleet, group = self.fleet, allocation.group
        grace = group.standing.grace if group.standing is not None else self._grace
        together = [*group.allocations.values()] if group.request.gang > 1 else [allocation]
        for one in together:
            if one.closing is None:
                fleet.measures.taken_back(group)
                fleet.give_back(one)
                if grace is not None and one.id in fleet.allocations:
                    fleet.later(grace, one, fleet.interrupt)

    def _alone(self, group: Group) -> float:
        """Seconds that a group would take with all workers of now for itself; on slots of speed 1 where none fits."""
        request, cases = group.request, group.cases
        rooms = self._rooms.get(request)
        if rooms is None:
            rooms = self._rooms[request] = sorted(self._room(request), reverse=True)
        most = request.gang * max(request.slots_min, 1) if request.gang > 1 else request.slots_max or len(cases)
        left, speed = min(most, len(cases)), 0.0
        for fast, slots in rooms:
            taken = min(slots, left)
            speed += taken * fast
            left -= taken
            if not left:
                break
        if not speed:
            return group.setup + cases.seconds
        fastest = rooms[0][0]
        return max(cases.seconds / speed, cases.longest / fastest) + group.setup / fastest

    def _room(self, request: Request) -> list[tuple[float, int]]:
        """Speeds, and how many slots of each the request may have. Workers that look alike are judged once."""
        kinds: dict[tuple[str, float], list[int]] = {}
        for worker in self.fleet.workers.values():
            found = kinds.setdefault((worker.view.signature, worker.speed), [])
            if not found:
                fits = eligible(request, worker.view, self.selectors)
                found += [
                    0,
                    0 if isinstance(fits, Misfit) else room(request, worker.view, Free.whole(worker.view), fits),
                ]
            found[0] += found[1]
        return [(speed, slots) for (_, speed), (slots, _) in kinds.items() if slots > 0]


def _kept(group: Group) -> bool:
    """Whether nothing is taken back from a group, whatever a scheduler says."""
    return group.standing is not None and not group.standing.preemptible
