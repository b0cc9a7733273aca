"""Which proposals of a plan hold now: by the same function with which coordinators judge, and with the same reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossfleet.matching.check import check
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Misfit, Wait
from crossfleet.matching.model import Portions
from crossfleet.matching.portions import portions_of, together
from crossfleet.matching.selectors import Selectors
from crossfleet.simulation.core.model import Group, Proposal, Refusal, Worker

_INCOMPLETE = "GANG_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Grant:
    """A proposal that holds."""

    group: Group
    worker: Worker
    slots: int
    device_ids: tuple[str, ...]
    portions: Portions = ()


class Judge:
    """Judges one plan: what it granted so far is no longer free."""

    def __init__(self, workers: Mapping[str, Worker], groups: Mapping[str, Group], selectors: Selectors) -> None:
        """Of this plan nothing is granted yet."""
        self._workers, self._groups, self._selectors = workers, groups, selectors
        self._free: dict[str, Free] = {}
        self._wanted: dict[str, int] = {}
        self._on_host: dict[str, list[Worker]] | None = None

    def judge(self, proposals: Sequence[Proposal]) -> tuple[list[Grant], list[Refusal]]:
        """What holds, and why the rest does not. A gang is granted as a whole or refused as a whole."""
        granted: list[Grant] = []
        refused: list[Refusal] = []
        for unit in _units(proposals):
            before = (dict(self._free), dict(self._wanted)) if len(unit) > 1 else None
            found = self._unit(unit)
            if isinstance(found, list):
                granted += found
                continue
            if before:
                self._free, self._wanted = before
            blamed, reason, text = found
            refused.append(Refusal(blamed, reason, text))
            refused += [
                Refusal(index, _INCOMPLETE, f"its gang is not complete: {text}") for index in unit if index != blamed
            ]
        return granted, sorted(refused, key=lambda one: one.index)

    def _unit(self, unit: Mapping[int, Proposal]) -> list[Grant] | tuple[int, str, str]:
        grants: list[Grant] = []
        for index, one in unit.items():
            found = self._one(one)
            if not isinstance(found, Grant):
                return index, *found
            grants.append(found)
        lacking = _lacking(grants)
        if lacking:
            return next(iter(unit)), _INCOMPLETE, lacking
        return grants

    def _one(self, one: Proposal) -> Grant | tuple[str, str]:
        group, worker = self._groups.get(one.group_id), self._workers.get(one.worker_id)
        if group is None:
            return "GROUP_NOT_OPEN", f"group {one.group_id} is not open"
        if worker is None:
            return "WORKER_NOT_FOUND", f"no worker {one.worker_id}"
        wanted = self._wanted.get(group.id)
        wanted = group.wanted() if wanted is None else wanted
        if one.slots > wanted:
            return "RESOURCES_UNAVAILABLE", f"group {group.id} wants {wanted} more slots, not {one.slots}"
        free = self._alone(worker)
        beside = [self._alone(other) for other in self._neighbours(worker)]
        found = check(group.request, worker.view, free.beside(beside), one.slots, one.device_ids, self._selectors)
        if isinstance(found, Misfit):
            never = found.wait is Wait.NEVER
            return ("REQUEST_NOT_SATISFIED" if never else "RESOURCES_UNAVAILABLE"), found.text
        devices = tuple(dict.fromkeys(device for slot in found for device in slot))
        portions = together(each for slot in portions_of(group.request, found, worker.view) for each in slot)
        self._free[one.worker_id] = free.minus(group.request, one.slots, devices, worker.view, portions)
        self._wanted[group.id] = wanted - one.slots
        return Grant(group, worker, one.slots, devices, portions)

    def _alone(self, worker: Worker) -> Free:
        return self._free.get(worker.view.name) or worker.free()

    def _neighbours(self, worker: Worker) -> list[Worker]:
        host = worker.view.host
        if self._on_host is None:
            self._on_host = {}
            for one in self._workers.values():
                self._on_host.setdefault(one.view.host, []).append(one)
        return [one for one in self._on_host.get(host, ()) if one is not worker] if host else []


def _units(proposals: Sequence[Proposal]) -> list[dict[int, Proposal]]:
    """Proposals that are granted together, by their index in the plan."""
    units: dict[str, dict[int, Proposal]] = {}
    for index, one in enumerate(proposals):
        units.setdefault(f"gang {one.gang_id}" if one.gang_id else f"{index}", {})[index] = one
    return list(units.values())


def _lacking(grants: Sequence[Grant]) -> str:
    """What proposals that are granted together lack of the gangs that their groups are; empty where these are whole."""
    for group in {grant.group.id: grant.group for grant in grants}.values():
        request, own = group.request, [grant for grant in grants if grant.group is group]
        each = max(request.slots_min, 1)
        whole = len({grant.worker.view.name for grant in own}) == len(own) == request.gang
        if request.gang > 1 and not (whole and all(grant.slots == each for grant in own)):
            return f"group {group.id} is a gang: {each} slots on each of {request.gang} workers, in one gang_id"
    return ""
