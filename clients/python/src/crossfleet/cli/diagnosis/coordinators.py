"""The coordinators of a fleet that has several: which of them leads, and which are gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from crossfleet.api.coordinator.v1.fleet_service_pb2 import GetFleetRequest
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
    epoch: int = 0
    trouble: str = ""


async def examine_coordinators(endpoint: Endpoint, leader: str) -> list[Finding]:
    """One finding for each address that was given; none where there is one and it leads. `leader` as the fleet names it."""
    if len(endpoint.addresses) == 1 and leader in ("", *endpoint.addresses):
        return []
    asked = dict.fromkeys((*endpoint.addresses, *([leader] if leader else [])))
    seen = await asyncio.gather(*(_look(endpoint, address) for address in asked))
    some_leads = any(each.leads for each in seen)
    findings = [_finding(each, some_leads) for each in seen]
    if not some_leads:
        findings.append(Finding("leader", "fail", "no coordinator leads", "wait for the election; see their logs"))
    return findings


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
            return _Seen(address, leading, fleet.leader_address, fleet.epoch)
    except CrossfleetError as error:
        return _Seen(address, trouble=str(error))


def _finding(seen: _Seen, some_leads: bool) -> Finding:
    subject = f"coordinator {seen.address}"
    if seen.trouble:
        mend = "start it: the fleet goes on without it, with one less to lose" if some_leads else "start it"
        return Finding(subject, "warn" if some_leads else "fail", seen.trouble, mend)
    if seen.leads:
        return Finding(subject, "ok", f"leads, epoch {seen.epoch}")
    return Finding(subject, "ok", f"follows {seen.leader}" if seen.leader else "follows nobody: no leader is known")
