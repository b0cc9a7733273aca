"""The coordinators of a fleet that has several: which of them leads, and which are gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from crossfleet.api.coordinator.v1.fleet_service_pb2 import GetFleetRequest, GetFleetResponse
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.cli.diagnosis.finding import Finding
from crossfleet.client import Endpoint
from crossfleet.foundation.errors import CrossfleetError, NotLeader
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.following.leading import leads
from crossfleet.foundation.following.probe import probe

_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one of them said. `leader`: who leads in its eyes; `trouble`: why it said nothing."""

    address: str
    leads: bool = False
    leader: str = ""
    trouble: str = ""
    fleet: GetFleetResponse = field(default_factory=GetFleetResponse)


async def examine_coordinators(endpoint: Endpoint, fleet: GetFleetResponse) -> tuple[GetFleetResponse, list[Finding]]:
    """The leader's summary of the fleet, and a finding for each address that was given.

    `fleet` is what any of them has answered; it comes back where nobody leads. No findings where there is one address and
    it leads.
    """
    leader = fleet.leader_address
    if len(endpoint.addresses) == 1 and leader in ("", *endpoint.addresses):
        return fleet, []
    asked = dict.fromkeys((*endpoint.addresses, *([leader] if leader else [])))
    seen = await asyncio.gather(*(_look(endpoint, address) for address in asked))
    leading = [each.fleet for each in seen if each.leads]
    some_leads = bool(leading)
    findings = [_finding(each, some_leads) for each in seen]
    if not some_leads:
        findings.append(Finding("leader", "fail", "no coordinator leads", "wait for the election; see their logs"))
    return (leading[0] if leading else fleet), findings


async def _look(endpoint: Endpoint, address: str) -> _Seen:
    try:
        endpoint.credentials.check(address)
        await probe(address, _SECONDS)
        async with endpoint.credentials.open(address) as channel:
            leading = await leads(channel, _SECONDS)
            try:
                with translated():
                    fleet = await FleetServiceStub(channel).GetFleet(GetFleetRequest(), timeout=_SECONDS)
            except NotLeader as error:
                return _Seen(address, leader=error.metadata.get("leader", ""))
            return _Seen(address, leading, fleet.leader_address, fleet=fleet)
    except CrossfleetError as error:
        return _Seen(address, trouble=str(error))


def _finding(seen: _Seen, some_leads: bool) -> Finding:
    subject = f"coordinator {seen.address}"
    if seen.trouble:
        mend = "start it: the fleet goes on without it, with one less to lose" if some_leads else "start it"
        return Finding(subject, "warn" if some_leads else "fail", seen.trouble, mend)
    if seen.leads:
        return Finding(subject, "ok", f"leads, epoch {seen.fleet.epoch}")
    return Finding(subject, "ok", f"follows {seen.leader}" if seen.leader else "follows nobody: no leader is known")
