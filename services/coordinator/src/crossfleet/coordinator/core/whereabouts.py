"""Where the targets of a run have slots, and had them, and what is offered to schedulers because of that.

All of it follows from facts, so that another leader offers the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crossfleet.coordinator.core.commands import TargetSpec
from crossfleet.coordinator.core.quota import Takes
from crossfleet.matching.classes import most_by_class
from crossfleet.matching.template import Past, offer, opened

if TYPE_CHECKING:
    from crossfleet.coordinator.core.model import Group, Run, State

# Names of hosts that a selector is given, the newest: schedulers refuse selectors without end.
_MOST_NAMES = 500
NONE = -1
"""In place of the index of an alternative."""

Hosts = Mapping[str, tuple[str, ...]]
"""Names of hosts, by target."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an allocation is: its host (empty: it has no name), the models of its devices, and the alternative, by index,
    that it is of."""

    host: str
    models: tuple[str, ...]
    alternative: int


@dataclass(slots=True)
class Whereabouts:
    """Of a group whose own request, or that of another one, depends on where it is.

    `asked` is the target as it was submitted, `alternatives` how many of its alternatives have come in. The last of them has
    been waited for since `since`, in unix seconds; 0: its time does not run. `used` counts slots by alternative. `skipped` says
    of alternatives, by index, why they are not offered.
    Names are in the order of their last use.
    """

    asked: TargetSpec
    since: float
    alternatives: int = 1
    held: dict[str, Place] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    failed_hosts: dict[str, None] = field(default_factory=dict)
    failed_models: dict[str, None] = field(default_factory=dict)
    failures: int = 0
    used: dict[int, int] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)

    @property
    def open_now(self) -> tuple[int, ...]:
        """The alternatives that are offered, by index: while it holds slots, the one that these are of."""
        taken = next((one.alternative for one in self.held.values() if one.alternative != NONE), NONE)
        template = self.asked.template
        if template is None:
            return ()
        return (taken,) if taken != NONE else opened(template, self.alternatives, self.skipped)

    @property
    def devices_now(self) -> Takes:
        """What a slot takes by class, at the most, by whichever of the alternatives that are offered."""
        return devices_of(self.asked, self.open_now)

    @property
    def hosts_now(self) -> tuple[str, ...]:
        """The hosts where it has slots."""
        return tuple(dict.fromkeys(one.host for one in self.held.values() if one.host))[-_MOST_NAMES:]


def devices_of(target: TargetSpec, open_now: Sequence[int]) -> Takes:
    """What a slot of a target takes by class, at the most, while these of its alternatives are offered."""
    ways = [dict(target.ways[index]) for index in open_now] if target.ways else [dict(target.devices)]
    return tuple(most_by_class(ways).items())


def whereabouts_of(targets: tuple[TargetSpec, ...], at: float) -> Mapping[str, Whereabouts]:
    """By name, of the targets of a run for which it matters where they are."""
    names = [one.name for one in targets]
    named = {
        name
        for one in targets
        if one.template is not None
        for name in (*one.template.near, *one.template.apart, *(names if one.template.speaks_of_hosts else ()))
    }
    return {
        one.name: Whereabouts(one, at, one.template.open_first if one.template is not None else 1)
        for one in targets
        if one.template is not None or one.name in named
    }


def past_of(state: State, run: Run, where: Whereabouts) -> Past:
    """What selectors of a group may know."""
    return _past_of(where, *_hosts_of(state, run))


def _hosts_of(state: State, run: Run) -> tuple[Hosts, Hosts]:
    """Of each target where it has slots or had them, and where it has some."""
    groups = (state.groups[group_id] for group_id in run.groups)
    known = {one.target.name: one.whereabouts for one in groups if one.whereabouts is not None}
    held = {name: one.hosts_now for name, one in known.items()}
    return {name: held[name] or tuple(one.hosts)[-_MOST_NAMES:] for name, one in known.items()}, held


def _past_of(where: Whereabouts, hosts: Hosts, held: Hosts) -> Past:
    return Past(
        hosts,
        held,
        tuple(where.hosts)[-_MOST_NAMES:],
        tuple(where.failed_hosts)[-_MOST_NAMES:],
        tuple(where.failed_models)[-_MOST_NAMES:],
        where.failures,
    )


def offer_again(state: State, run: Run) -> None:
    """Something of a run has moved: what its groups ask for follows."""
    hosts, held = _hosts_of(state, run)
    for group in map(state.groups.__getitem__, run.groups):
        where = group.whereabouts
        if where is not None and where.asked.template is not None and not group.over:
            past = _past_of(where, hosts, held)
            request = offer(where.asked.template, where.asked.request, where.open_now, past)
            group.target = replace(where.asked, selector=request.selector, request=request, devices=where.devices_now)


def takes_place(where: Whereabouts, allocation_id: str, place: Place, slots: int) -> None:
    """An allocation was opened there."""
    where.held[allocation_id] = place
    where.since = 0.0
    _remember(where.hosts, (place.host,))
    if place.alternative != NONE:
        where.used[place.alternative] = where.used.get(place.alternative, 0) + slots


def leaves_place(where: Whereabouts, allocation_id: str, *, failed: bool) -> None:
    """An allocation was closed; `failed`: for a cause of the infrastructure."""
    place = where.held.pop(allocation_id, None)
    if failed:
        where.failures += 1
        if place is not None:
            _remember(where.failed_hosts, (place.host,))
            _remember(where.failed_models, place.models)


def _remember(names: dict[str, None], new: tuple[str, ...]) -> None:
    for name in filter(None, new):
        names.pop(name, None)
        names[name] = None


def may_move(state: State, group: Group) -> bool:
    """Whether what keeps it from hosts may end by itself: others of its run, by which these are chosen, go on or hold slots."""
    template = asked(group).template
    if template is None or not (template.near or template.apart or template.speaks_of_hosts):
        return False
    others = state.runs[group.run_id].groups if template.speaks_of_hosts else ()
    named = (f"{group.run_id}/{name}" for name in (*template.near, *template.apart))
    beside = (state.groups[one] for one in (*named, *others) if one != group.group_id)
    return any(not one.over or one.allocations for one in beside)


def asked(group: Group) -> TargetSpec:
    """The target of a group as it was submitted."""
    return group.target if group.whereabouts is None else group.whereabouts.asked
