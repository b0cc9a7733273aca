"""The checks, a module for each family or two; data only."""

from crossfleet.client.conformance.check import Check
from crossfleet.client.conformance.checks import (
    beginning,
    capacity,
    changes,
    describing,
    devices,
    fitting,
    gangs,
    hosts,
    order,
    portions,
    preempting,
    refusals,
    scale,
    selecting,
    streams,
    vanishing,
    waiting,
)

CHECKS: tuple[Check, ...] = (
    *describing.CHECKS,
    *beginning.CHECKS,
    *changes.CHECKS,
    *fitting.CHECKS,
    *capacity.CHECKS,
    *hosts.CHECKS,
    *devices.CHECKS,
    *portions.CHECKS,
    *selecting.CHECKS,
    *gangs.CHECKS,
    *order.CHECKS,
    *preempting.CHECKS,
    *refusals.CHECKS,
    *vanishing.CHECKS,
    *streams.CHECKS,
    *waiting.CHECKS,
    *scale.CHECKS,
)
"""All checks, in the order in which they are played."""
