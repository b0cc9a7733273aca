"""The states of a plugin and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Lifecycle(StrEnum):
    """Where a plugin stands."""

    DISCOVERED = "discovered"
    CONFIGURED = "configured"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"


_NEXT: Mapping[Lifecycle, frozenset[Lifecycle]] = {
    Lifecycle.DISCOVERED: frozenset({Lifecycle.CONFIGURED}),
    Lifecycle.CONFIGURED: frozenset({Lifecycle.CONFIGURED, Lifecycle.RUNNING, Lifecycle.STOPPED}),
    Lifecycle.RUNNING: frozenset({Lifecycle.DRAINING, Lifecycle.STOPPED}),
    Lifecycle.DRAINING: frozenset({Lifecycle.STOPPED}),
    Lifecycle.STOPPED: frozenset({Lifecycle.CONFIGURED}),
    # From quarantine by new settings, by a probe that succeeded, or for good.
    Lifecycle.QUARANTINED: frozenset({Lifecycle.CONFIGURED, Lifecycle.RUNNING, Lifecycle.STOPPED}),
}


def may_follow(now: Lifecycle, following: Lifecycle) -> bool:
    """Whether `following` may come after `now`; quarantine may come after everything."""
    return following is Lifecycle.QUARANTINED or following in _NEXT[now]


@dataclass(frozen=True, slots=True)
class PluginState:
    """A plugin as the API shows it; `cause` says why it is quarantined."""

    name: str
    category: str
    distribution: str
    version: str
    lifecycle: Lifecycle
    cause: str = ""
