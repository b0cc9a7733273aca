"""Lets the machine care for hosts that failed, and says by which policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.core.care import waits_for_care
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.health import CareForHosts, CarePolicy
from crossfleet.coordinator.ledger.writer import LedgerWriter
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger

_SECONDS = 0.5


def policy_of(settings: Settings) -> CarePolicy:
    """As the operator has set it."""
    return CarePolicy(
        share=settings.quarantine_share,
        failures=settings.quarantine_failures,
        rounds=settings.quarantine_rounds,
        half_life=settings.quarantine_memory_seconds,
        rest_seconds=settings.quarantine_rest_seconds,
    )


async def care_for_hosts(
    writer: LedgerWriter, commit: Callable[[Command], Awaitable[Any]], clock: Clock, policy: CarePolicy
) -> None:
    """Sends CareForHosts twice a second while something is known of any host; runs until cancelled."""
    told = ""
    while True:
        await clock.sleep(_SECONDS)
        if waits_for_care(writer.state):
            try:
                await commit(CareForHosts(policy))
            except CrossfleetError as error:
                if error.reason != told:
                    get_logger().warning("hosts could not be cared for", reason=error.reason, message=error.message)
                told = error.reason
            else:
                told = ""
