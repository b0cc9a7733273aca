"""How a scheduler stands, in words."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2

NO_SCHEDULER = "who listens there serves no SchedulerService: give the scheduler's own address, not the coordinator's"
"""What to say of a server that does not know what schedulers are asked."""
_WORDS = {
    admin_pb2.BREAKER_STATE_CLOSED: "decides",
    admin_pb2.BREAKER_STATE_HALF_OPEN: "on trial",
    admin_pb2.BREAKER_STATE_OPEN: "out",
}


def state_of(one: admin_pb2.SchedulerStanding) -> str:
    """One or two words; of the fallback, which has no breaker, whether it is connected."""
    return _WORDS.get(one.breaker) or ("connected" if one.connected else "away")


def for_what(one: admin_pb2.SchedulerStanding) -> str:
    """The groups that are its own."""
    if one.breaker == admin_pb2.BREAKER_STATE_UNSPECIFIED:
        return "the rest"
    share = "" if one.canary_percent >= 100 else f"{one.canary_percent:g} % of "
    pools = f"pool{'s' * (len(one.pools) > 1)} {', '.join(one.pools)}" if one.pools else "all groups"
    return share + pools


def trouble(one: admin_pb2.SchedulerStanding) -> str:
    """What an operator should know of it: why it is out, since when, what was refused last, what it is not told; empty where all is well."""
    told = []
    if one.breaker in (admin_pb2.BREAKER_STATE_OPEN, admin_pb2.BREAKER_STATE_HALF_OPEN):
        why = f": {one.cause}" if one.cause else ""
        told.append(
            f"{state_of(one)} for {one.breaker_seconds:.1f} s{why}; the default scheduler decides for its groups"
        )
    elif not one.connected:
        told.append("not connected: what waits for it is not placed")
    if one.openings:
        told.append(f"was out {one.openings} time{'s' * (one.openings > 1)}")
    if one.refused:
        told.append(f"last refusal: {one.last_refusal}")
    if one.left_out:
        more = ", ..." if one.left_out > len(one.left_out_names) else ""
        names = ", ".join(one.left_out_names)
        told.append(f"cannot be told of {one.left_out}: {names}{more} (a fault of the coordinator, whose log says why)")
    return "; ".join(told)
