"""The ready workers by kind and filling: where there is room, kept up to date and not looked through."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import merge
from itertools import islice

from crossfleet.matching.fit import lacking
from crossfleet.matching.free import millicores
from crossfleet.matching.model import Portion, Portions, Request, WorkerState, WorkerView
from crossfleet.matching.portions import shortage, together
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.demands import Demand, Key, Shape
from crossfleet.scheduler.core.fairness import Accounts
from crossfleet.scheduler.core.fillings import Filling, Kind, Openings, alike
from crossfleet.scheduler.core.frames import Aspect, Cost, Frame, FrameKey, Level, Slot, frame_key
from crossfleet.scheduler.core.host import Holding, Host
from crossfleet.scheduler.core.model import Allocation
from crossfleet.scheduler.core.queue import Entry
from crossfleet.scheduler.core.search import Search
from crossfleet.scheduler.core.snapshot import Snapshot

_UNKNOWN = Request()
_MOST_KNOWN = 4096
_MOST_LOOKED_AT = 8
_NOTHING: frozenset[str] = frozenset()


class Fleet:
    """Hosts by name, kinds by key, demands by request. ``totals`` are the amounts that all hosts have.

    ``unsorted``: a new demand may choose among workers that were alike so far, or want more of one than any did, so each
    is to be looked at again. ``solitary``: somebody asks for hosts that nobody else uses, so that it matters who shares one.
    """

    def __init__(self, selectors: Selectors, accounts: Accounts, entries: Mapping[str, Entry]) -> None:
        """No worker known. ``entries``: the groups that may hold some."""
        self._accounts = accounts
        self.hosts: dict[str, Host] = {}
        self.totals: Counter[str] = Counter()
        self.unsorted = False
        self.solitary = False
        self.kinds: dict[Key, Kind] = {}
        self._frames: dict[FrameKey, Frame] = {}
        self.demands: dict[Request, Demand] = {}
        self.able: dict[Demand, dict[Kind, Aspect]] = {}
        self._openings = Openings()
        self._widest: Slot = (0, 0)
        self.search = Search(self._openings, self.able)
        # Equal requests mostly are one object, and to hash one takes longer than all else that is done with it.
        self._by_id: dict[int, tuple[Request, Demand]] = {}
        self._entries = entries
        self._selectors = selectors
        self._particular: list[Demand] = []
        self._counted: dict[Demand, int] = {}
        self._large: dict[Demand, bool] = {}
        self._snapshot = Snapshot()
        self._breadth: dict[Demand, int] = {}

    def demand(self, request: Request) -> Demand:
        """The demand of a request."""
        known = self._by_id.get(id(request))
        if known is not None:
            return known[1]
        found = self.demands.get(request)
        if len(self._by_id) >= _MOST_KNOWN:
            self._by_id.clear()
        if found is None:
            self._widen(request)
            if request.exclusive and not self.solitary:
                self.solitary = self.unsorted = True
            found = self.demands[request] = Demand(request, len(self.demands), self._selectors)
            if found.particular:
                self._particular.append(found)
                self.unsorted = True
            judged = ((kind, kind.aspects[found]) for kind in self.kinds.values())
            self.able[found] = {kind: aspect for kind, aspect in judged if aspect.able is not None}
            self._counted[found] = 0
        self._by_id[id(request)] = request, found
        return found

    def _widen(self, request: Request) -> None:
        """See to it that no slot of a demand takes more than the widest; in steps by two, as all workers are looked at again."""
        cpu, memory = _rounded(millicores(request.cpu_cores)), _rounded(request.memory_bytes)
        if cpu > self._widest[0] or memory > self._widest[1]:
            self._widest = (max(cpu, self._widest[0]), max(memory, self._widest[1]))
            self.unsorted = True
            for frame in self._frames.values():
                frame.widen(self._widest)

    def begin(self) -> None:
        """Take over, for a new plan, how many groups wait for each demand: what few can use is left to the few."""
        self.search.begin()
        for demand, counted in self._counted.items():
            if demand.waiting != counted:
                for kind in self.able[demand]:
                    kind.rivals += demand.waiting - counted
                self._counted[demand] = demand.waiting

    def large(self, demand: Demand) -> bool:
        """Whether a slot of a demand takes more than a slot's share of some worker that satisfies it, or a device from which
        others may take less than it does."""
        found = self._large.get(demand)
        if found is None:
            found = any(demand.large(kind.model) or one.divides for kind, one in self.able[demand].items())
            self._large[demand] = found
        return found

    def look(self, snapshot: Snapshot, name: str) -> Filling | None:
        """Look at a worker again. Answers how full it is if that is news."""
        self._snapshot = snapshot
        view, host = snapshot.workers.get(name), self.hosts.get(name)
        before = host.filling if host is not None else None
        if host is None or host.view is not view or self.unsorted:
            if view is None or view.state is not WorkerState.READY:
                self._remove(name)
                return None
            kind = self._kind(view)
            if host is None or host.kind is not kind:
                self._remove(name)
                host = self._enter(name, view, kind)
            if host.view is not view:
                self._credit(host, host.holdings)  # Another row may have other devices.
                host.view, host.holdings = view, {}
        self._fill(snapshot, name, host)
        return host.filling if host.filling is not before else None

    def take(self, name: str, demand: Demand, slots: int, project: str) -> tuple[tuple[str, ...], Portions]:
        """Give slots of a host to a project; answers their devices, and the portions that they take of some. There must be
        room for them."""
        host = self.hosts[name]
        kind, filling = host.kind, host.filling
        aspect, level = kind.aspects[demand], filling.level
        grant = level.grants.get((aspect, slots)) or level.grant(aspect, slots)
        ids = host.pick(grant) if grant.shared or grant.taken is not kind.frame.nothing else ()
        portions: Portions = ()
        if grant.portions:
            parts, portions = host.divide(grant)
            ids = (*ids, *parts)
        cost = grant.cost
        host.given.append((project, cost))
        self._accounts.charge(project, cost)
        filling.leave(name)
        host.filling = kind.enter(name, grant.left)
        if self.solitary:
            for beside in [self.hosts[one] for one in self.neighbours(name) if one in self.hosts]:
                self._refill(beside, beside.filling.level.disturbed(alone=demand.request.exclusive))
        return ids, portions

    def neighbours(self, name: str) -> list[str]:
        """The other workers of a ready worker's host."""
        names = self._snapshot.on_host.get(self.hosts[name].view.host, ())
        return [one for one in names if one != name] if len(names) > 1 else []

    def sharing(self, name: str, demand: Demand) -> list[str]:
        """The other workers of a host on which something may be held that a demand wants of this one: its devices, or all."""
        able = self.hosts[name].kind.aspects[demand].able if self._snapshot.crowded else None
        if able is None:
            return []
        if demand.request.exclusive:
            return self.neighbours(name)
        return self._snapshot.sharing(name) if able.counts else []

    def alone(self, held: Allocation) -> bool:
        """Whether an allocation has its host for itself."""
        return self._demand_of(held).request.exclusive

    def beside(self, name: str, demand: Demand) -> list[Allocation]:
        """What is held of the other workers of a host and leaves a demand less of this one: its devices, or the host."""
        snapshot, alone = self._snapshot, demand.request.exclusive
        able = self.hosts[name].kind.aspects[demand].able if snapshot.crowded else None
        if able is None:
            return []
        others = self.neighbours(name) if self.solitary else self.sharing(name, demand)
        held = (one for other in others for one in snapshot.held_on(other))
        return [one for one in held if alone or self.alone(one) or (able.counts and snapshot.shown(name, one))]

    def emptiest(self, demand: Demand, least: int, count: int) -> list[str]:
        """Hosts that have room for ``least`` slots each when idle: those with free slots first, at most ``count``."""
        kinds = sorted(
            (one for one, aspect in self.able[demand].items() if one.idle.rooms[aspect] >= least),
            key=lambda one: one.names[0],
        )
        free: dict[int, list[list[str]]] = {}
        for filling in (filling for kind in kinds for filling in kind.some):
            free.setdefault(filling.slots, []).append(filling.members)
        names: dict[str, None] = {}
        for slots in sorted(free, reverse=True):
            names.update(dict.fromkeys(islice(merge(*free[slots]), count - len(names))))
        for kind in kinds:
            names.update(dict.fromkeys(kind.names[:count]))
            if len(names) >= count:
                break
        return list(names)

    def preference(self, name: str) -> tuple[int, int, str]:
        """Hosts that have equal room are taken in this order."""
        host = self.hosts[name]
        return (host.kind.rivals, host.filling.slots, name)

    def equals(self, name: str, other: str, demand: Demand, slots: int) -> bool:
        """Whether a host is as good for so many slots as another one that has room for them: leaving aside how full they are."""
        if self.room(name, demand) < slots:
            return False
        mine, theirs = self.hosts[name].kind, self.hosts[other].kind
        same = mine.rivals <= theirs.rivals
        return same and (not demand.request.preferred or demand.score(mine.model) >= demand.score(theirs.model))

    def held_slots(self, names: Iterable[str]) -> int:
        """How many slots of some workers are held, of those that are ready."""
        ready = [self.hosts[one] for one in names if one in self.hosts]
        return sum(one.view.slots_total - one.filling.slots for one in ready)

    def room_beside(self, name: str, demand: Demand, held: Iterable[Allocation]) -> int:
        """How many slots of a demand a worker would have room for if nothing but these were held of it and its neighbours."""
        host = self.hosts[name]
        level, used, parts = host.kind.idle, set[str](), list[Portion]()
        for one in held:
            if one.worker_id != name:
                level = level.disturbed(alone=self.alone(one))
                whole, mine = host.held(self._snapshot.shown(name, one), one.portions)
            else:
                level = level.after(host.kind.aspects[self._demand_of(one)], one.slots)
                whole, mine = host.held(one.device_ids, one.portions)
            used |= whole
            parts += mine
        level = level.without(host.counts(used))
        if parts:
            level = level.parted(host.bundled(dict(together(parts))))
        return level.rooms[host.kind.aspects[demand]]

    def _demand_of(self, held: Allocation) -> Demand:
        entry = self._entries.get(held.group_id)
        return entry.shape.demand if entry is not None else self.demand(_UNKNOWN)

    def cost(self, name: str, demand: Demand, slots: int) -> Cost:
        """What so many slots of a demand would take of a host that is idle."""
        kind = self.hosts[name].kind
        return kind.idle.grant(kind.aspects[demand], slots).cost

    def cost_of(self, held: Allocation) -> Cost:
        """What an allocation takes of its host; nothing of one that is not ready, which is of no fleet."""
        host = self.hosts.get(held.worker_id)
        if host is None:
            return ()
        devices, parts = host.held(held.device_ids, held.portions)
        kind, bundled = host.kind, host.bundled(dict(parts)) if parts else ()
        return kind.frame.cost(kind.aspects[self._demand_of(held)], held.slots, host.counts(devices), bundled)

    def lacking(self, demand: Demand) -> str:
        """What of a device a slot of a demand lacks on a worker with free slots; empty where it asks for no portion."""
        able = self.able[demand].items()
        fillings = ((one, aspect) for kind, aspect in able for one in kind.some if one.level.free.portions)
        for filling, aspect in islice(fillings, _MOST_LOOKED_AT):
            host, free, eligible = self.hosts[filling.members[0]], filling.level.free, aspect.able
            missing = (
                lacking(filling.kind.frame.model, free, eligible) if eligible and not filling.rooms[aspect] else None
            )
            if missing is not None:
                amounts, left = missing
                held = dict(free.portions)[left.device_id]
                device = next(one for one, parts in host.parts.items() if parts == held)
                return f"{shortage(amounts, left._replace(device_id=device))} on {host.view.name}"
        return ""

    def satisfiable(self, shape: Shape) -> bool:
        """Whether a host has room for the fewest slots of a shape when it is idle."""
        return any(kind.idle.rooms[aspect] >= shape.least for kind, aspect in self.able[shape.demand].items())

    def able_hosts(self, demand: Demand, least: int) -> int:
        """How many workers would have room for ``least`` slots if they were idle; of one host one, where it is to be had alone."""
        able = [one for one, aspect in self.able[demand].items() if one.idle.rooms[aspect] >= least]
        if demand.request.exclusive:
            return len({self.hosts[name].view.host or f" {name}" for one in able for name in one.names})
        return sum(len(one.names) for one in able)

    def breadth(self, demand: Demand) -> int:
        """On how many hosts a demand could be placed if they were idle."""
        found = self._breadth.get(demand)
        if found is None:
            found = self._breadth[demand] = sum(len(kind.names) for kind in self.able[demand])
        return found

    def room(self, name: str, demand: Demand) -> int:
        """How many slots of a demand a host has room for; none on one that is not ready."""
        host = self.hosts.get(name)
        return host.filling.rooms[host.kind.aspects[demand]] if host is not None and host.filling.slots > 0 else 0

    def _fill(self, snapshot: Snapshot, name: str, host: Host) -> None:
        before, host.holdings = host.holdings, {}
        portions: list[Portion] = []
        level = host.kind.idle
        if host.used or host.parts:
            host.used.clear()
            host.parts.clear()
        for row in snapshot.held_on(name):
            entry, held = self._entries.get(row.group_id), before.get(row.id)
            if held is not None and held.row is row and held.entry is entry:
                del before[row.id]
            else:
                held = self._held(host, row, entry)
                if held.charge is not None:
                    self._accounts.charge(*held.charge)
            host.holdings[row.id] = held
            level = level.after(held.aspect, row.slots)
            if row.device_ids:
                host.used |= held.devices
                portions += held.parts
        for other in snapshot.sharing(name) if snapshot.crowded else ():
            for row in snapshot.held_on(other):
                devices, parts = host.held(snapshot.shown(name, row), row.portions)
                host.used |= devices
                portions += parts
        self._credit(host, before)
        if host.used:
            level = level.without(host.counts(host.used))
        if portions:
            host.parts = {name: taken for name, taken in together(portions) if name not in host.used}
            level = level.parted(host.bundled(host.parts))
        if self.solitary:
            beside = [held for other in snapshot.neighbours(name) for held in snapshot.held_on(other)]
            if beside:
                level = level.disturbed(alone=any(map(self.alone, beside)))
        self._refill(host, level)

    def _held(self, host: Host, row: Allocation, entry: Entry | None) -> Holding:
        aspect = host.kind.aspects[entry.shape.demand if entry is not None else self.demand(_UNKNOWN)]
        devices, parts = host.held(row.device_ids, row.portions) if row.device_ids else (_NOTHING, ())
        if entry is None:
            return Holding(row, entry, aspect, devices, parts, None)
        bundled = host.bundled(dict(parts)) if parts else ()
        cost = host.kind.frame.cost(aspect, row.slots, host.counts(devices), bundled)
        return Holding(row, entry, aspect, devices, parts, (entry.group.project, cost))

    def _refill(self, host: Host, level: Level) -> None:
        if host.filling.level is not level:
            host.filling.leave(host.view.name)
            host.filling = host.kind.enter(host.view.name, level)

    def _credit(self, host: Host, gone: Mapping[str, Holding]) -> None:
        """Nobody has some of what was held of a host any more, nor what was only proposed."""
        if host.given:
            self._accounts.credit(host.given)
            host.given = []
        if gone:
            self._accounts.credit([one.charge for one in gone.values() if one.charge is not None])

    def _kind(self, view: WorkerView) -> Kind:
        chosen = (demand.choice(view) for demand in self._particular)
        key = (view.signature, tuple([one for one in chosen if one is not None]))
        kind = self.kinds.get(key)
        if kind is None:
            kind = self.kinds[key] = Kind(view, key, self._frame(view, key), self._openings)
            kind.frame.kinds += 1
            self._large.clear()
            self.search.alike.clear()
            for demand, able in self.able.items():
                aspect = kind.aspects[demand]
                if aspect.able is not None:
                    able[kind] = aspect
                    kind.rivals += self._counted[demand]
        return kind

    def _frame(self, view: WorkerView, key: Key) -> Frame:
        found = frame_key(view, alike(view, key))
        frame = self._frames.get(found)
        if frame is None:
            frame = self._frames[found] = Frame(found, view, self._widest)
        return frame

    def _enter(self, name: str, view: WorkerView, kind: Kind) -> Host:
        host = self.hosts[name] = Host(view, kind, kind.enter(name, kind.idle))
        self._breadth.clear()
        insort(kind.names, name)
        self.totals.update(kind.frame.totals)
        return host

    def _remove(self, name: str) -> None:
        host = self.hosts.pop(name, None)
        if host is None:
            return
        kind = host.kind
        self._breadth.clear()
        self._credit(host, host.holdings)
        host.filling.leave(name)
        del kind.names[bisect_left(kind.names, name)]
        self.totals.subtract(kind.frame.totals)
        if not kind.names:
            del self.kinds[kind.key]
            kind.frame.kinds -= 1
            if not kind.frame.kinds:
                del self._frames[kind.frame.key]
            self._large.clear()
            self.search.alike.clear()
            for able in self.able.values():
                able.pop(kind, None)


def _rounded(amount: int) -> int:
    """The next power of two."""
    return 1 << (amount - 1).bit_length() if amount > 0 else 0
