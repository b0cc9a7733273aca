"""The ready workers by kind and filling: where there is room, kept up to date and not looked through."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import islice

from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.demands import Demand, Key, Places
from crossfleet.scheduler.core.fairness import Accounts
from crossfleet.scheduler.core.fillings import Aspect, Filling, Kind
from crossfleet.scheduler.core.host import Host
from crossfleet.scheduler.core.model import Allocation
from crossfleet.scheduler.core.search import Search
from crossfleet.scheduler.core.snapshot import Snapshot

_UNKNOWN = Request()
_MOST_KNOWN = 4096


class Fleet:
    """Hosts by name, kinds by key, demands by request. ``totals`` are the amounts that all hosts have.

    ``unsorted``: a new demand may choose among workers that were alike so far, so each is to be looked at again.
    """

    def __init__(self, selectors: Selectors, accounts: Accounts) -> None:
        """No worker known."""
        self._accounts = accounts
        self.hosts: dict[str, Host] = {}
        self.totals: Counter[str] = Counter()
        self.unsorted = False
        self.kinds: dict[Key, Kind] = {}
        self.demands: dict[Request, Demand] = {}
        self.able: dict[Demand, list[Kind]] = {}
        # Equal requests mostly are one object, and to hash one takes longer than all else that is done with it.
        self._by_id: dict[int, tuple[Request, Demand]] = {}
        self.of_group: dict[str, Demand] = {}
        self._selectors = selectors
        self._particular: list[Demand] = []
        self._counted: dict[Demand, int] = {}
        self._large: dict[Demand, bool] = {}
        self._order: dict[Demand, list[tuple[Kind, Aspect]]] = {}
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
            found = self.demands[request] = Demand(request, len(self.demands), self._selectors)
            if found.particular:
                self._particular.append(found)
                self.unsorted = True
            self.able[found] = [kind for kind in self.kinds.values() if kind.aspect(found).able is not None]
            self._counted[found] = 0
        self._by_id[id(request)] = request, found
        return found

    def count_rivals(self) -> None:
        """Take over, for a new plan, how many groups wait for each demand: what few can use is left to the few."""
        self._order.clear()
        self._breadth.clear()
        for demand, counted in self._counted.items():
            if demand.waiting != counted:
                for kind in self.able[demand]:
                    kind.rivals += demand.waiting - counted
                self._counted[demand] = demand.waiting

    def large(self, demand: Demand) -> bool:
        """Whether a slot of a demand takes more than a slot's share of some worker that satisfies it."""
        found = self._large.get(demand)
        if found is None:
            found = self._large[demand] = any(demand.large(kind.model) for kind in self.able[demand])
        return found

    def look(self, snapshot: Snapshot, name: str) -> Filling | None:
        """Look at a worker again. Answers how full it is if that is news."""
        view = snapshot.workers.get(name)
        if view is None or view.state is not WorkerState.READY:
            self._remove(name)
            return None
        host = self.hosts.get(name)
        before = host.filling if host is not None else None
        if host is None or host.view is not view or self.unsorted:
            kind = self._kind(view)
            if host is None or host.kind is not kind:
                self._remove(name)
                host = self._enter(name, view, kind)
            host.view = view
        self._fill(snapshot, name, host)
        return host.filling if host.filling is not before else None

    def take(self, name: str, demand: Demand, slots: int, project: str) -> tuple[str, ...]:
        """Give slots of a host to a project; answers their devices. There must be room for them."""
        host = self.hosts[name]
        grant = host.filling.grant(host.kind.aspect(demand), slots)
        ids: tuple[str, ...] = ()
        if grant.shared or grant.taken is not host.kind.nothing:
            ids = host.pick(grant)
        host.charges.append((project, grant.cost))
        self._accounts.charge(project, grant.cost)
        self._move(name, host, grant.left)
        return ids

    def rooms(self, demand: Demand) -> Iterator[tuple[Filling, int]]:
        """The fillings that have a free slot, of kinds that satisfy a demand, and their room; in no order."""
        for kind in self.able[demand]:
            if kind.fillings:
                aspect = kind.aspect(demand)
                for fillings in kind.open:
                    for filling in fillings:
                        yield filling, filling.room(aspect)

    def has_room(self, demand: Demand, least: int) -> bool:
        """Whether any host has room for ``least`` slots."""
        for kind in self.able[demand]:
            if kind.fillings:
                aspect = kind.aspect(demand)
                for fillings in kind.open:
                    for filling in fillings:
                        room = filling.rooms.get(aspect, -1)
                        if room >= least or (room < 0 and filling.room(aspect) >= least):
                            return True
        return False

    def best(self, demand: Demand, least: int, most: int, banned: AbstractSet[str]) -> tuple[str, int] | None:
        """The host to take and its room: the best that has room for ``most`` slots, else the roomiest with ``least``.

        Better is who is wanted by fewer, then who is fuller, then whose name comes first.
        """
        order = self._order.get(demand)
        if order is None:
            ranked = sorted(self.able[demand], key=_rivals)
            order = self._order[demand] = [(kind, kind.aspect(demand)) for kind in ranked]
        search = Search(least, most, banned)
        for pair in order:
            if search.done(pair[0].rivals):
                break
            if pair[0].fillings:
                search.full(*pair)
        if search.name is None or search.short:
            # Nothing is given back while a plan is made, so who has no room is not asked again.
            self._order[demand] = [pair for pair in order if pair[0].fillings and search.partial(*pair)]
        return (search.name, search.room) if search.name is not None else None

    def several(self, demand: Demand, least: int, count: int, banned: AbstractSet[str]) -> list[str]:
        """The best ``count`` hosts that have room for ``least`` slots each, or fewer if there are not so many."""
        roomy = [one for one, room in self.rooms(demand) if room >= least]
        names: list[str] = []
        for filling in sorted(roomy, key=lambda one: (one.kind.rivals, one.free.slots, one.members[0])):
            names += islice((name for name in filling.members if name not in banned), count - len(names))
        return names

    def emptiest(self, demand: Demand, least: int, count: int) -> list[str]:
        """Hosts that have room for ``least`` slots each when idle: those with free slots first, at most ``count``."""
        kinds = sorted(
            (one for one in self.able[demand] if one.idle.room(one.aspect(demand)) >= least),
            key=lambda one: one.names[0],
        )
        fillings = (filling for kind in kinds for some in kind.open for filling in some)
        names: dict[str, None] = {}
        for filling in sorted(fillings, key=lambda one: (-one.free.slots, one.members[0])):
            names.update(dict.fromkeys(filling.members[: count - len(names)]))
        for kind in kinds:
            names.update(dict.fromkeys(kind.names[:count]))
            if len(names) >= count:
                break
        return list(names)

    def preference(self, name: str) -> tuple[int, int, str]:
        """Hosts that have equal room are taken in this order."""
        host = self.hosts[name]
        return (host.kind.rivals, host.filling.free.slots, name)

    def all_room(self, demand: Demand) -> int:
        """How many slots of a demand the whole fleet has room for."""
        return sum(room * len(filling.members) for filling, room in self.rooms(demand))

    def room_beside(self, name: str, demand: Demand, held: Iterable[Allocation]) -> int:
        """How many slots of a demand a host would have room for if nothing but these were held of it."""
        host = self.hosts[name]
        filling, used = host.kind.idle, set[str]()
        own = {device.id for device in host.view.devices if not device.shared}
        for one in held:
            filling = filling.after(host.kind.aspect(self._demand_of(one)), one.slots)
            used |= own.intersection(one.device_ids)
        return filling.without(host.counts(used)).room(host.kind.aspect(demand))

    def _demand_of(self, held: Allocation) -> Demand:
        return self.of_group.get(held.group_id) or self.demand(_UNKNOWN)

    def able_hosts(self, demand: Demand, least: int) -> int:
        """How many hosts would have room for ``least`` slots if they were idle."""
        return sum(len(one.names) for one in self.able[demand] if one.idle.room(one.aspect(demand)) >= least)

    def breadth(self, demand: Demand) -> int:
        """On how many hosts a demand could be placed if they were idle."""
        found = self._breadth.get(demand)
        if found is None:
            found = self._breadth[demand] = sum(len(kind.names) for kind in self.able[demand])
        return found

    def room(self, name: str, demand: Demand) -> int:
        """How many slots of a demand a host has room for; none on one that is not ready."""
        host = self.hosts.get(name)
        return host.filling.room(host.kind.aspect(demand)) if host is not None else 0

    def _fill(self, snapshot: Snapshot, name: str, host: Host) -> None:
        filling, own = host.kind.idle, {device.id for device in host.view.devices if not device.shared}
        self._credit(host)
        host.used = set()
        for held in snapshot.held_on(name):
            group = snapshot.groups.get(held.group_id)
            demand = self._demand_of(held)
            aspect = host.kind.aspect(demand)
            filling = filling.after(aspect, held.slots)
            devices = own.intersection(held.device_ids) if held.device_ids else ()
            host.used.update(devices)
            if group is not None:
                cost = host.kind.cost(aspect, held.slots, host.counts(devices))
                host.charges.append((group.project, cost))
                self._accounts.charge(group.project, cost)
        self._move(name, host, filling.without(host.counts(host.used)))

    def _credit(self, host: Host) -> None:
        for project, cost in host.charges:
            self._accounts.credit(project, cost)
        host.charges = []

    def _move(self, name: str, host: Host, filling: Filling) -> None:
        if host.filling is not filling:
            host.filling.leave(name)
            filling.enter(name)
            host.filling = filling

    def _kind(self, view: WorkerView) -> Kind:
        chosen: list[tuple[int, Places]] = []
        for demand in self._particular:
            places = demand.places(view)
            if places is not None:
                chosen.append((demand.number, places))
        key = (view.signature, tuple(chosen))
        kind = self.kinds.get(key)
        if kind is None:
            kind = self.kinds[key] = Kind(view, key)
            self._large.clear()
            for demand, able in self.able.items():
                if kind.aspect(demand).able is not None:
                    able.append(kind)
                    kind.rivals += self._counted[demand]
        return kind

    def _enter(self, name: str, view: WorkerView, kind: Kind) -> Host:
        host = self.hosts[name] = Host(view, kind, kind.idle)
        insort(kind.names, name)
        kind.idle.enter(name)
        self.totals.update(kind.totals)
        return host

    def _remove(self, name: str) -> None:
        host = self.hosts.pop(name, None)
        if host is None:
            return
        kind = host.kind
        self._credit(host)
        host.filling.leave(name)
        del kind.names[bisect_left(kind.names, name)]
        self.totals.subtract(kind.totals)
        if not kind.names:
            del self.kinds[kind.key]
            self._large.clear()
            for demand, able in self.able.items():
                if kind.aspect(demand).able is not None:
                    able.remove(kind)


def _rivals(kind: Kind) -> int:
    return kind.rivals
