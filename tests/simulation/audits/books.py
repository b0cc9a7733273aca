"""Books of the facts, much simpler than the state of a coordinator: what several audits look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.commands import Need
from crossfleet.matching.model import Portions


@dataclass(slots=True)
class AuditedGroup:
    """Cases by id, the verdict of each, and by index the outcomes after which it was run again."""

    run_id: str
    cases: list[str] = field(default_factory=list)
    verdicts: dict[int, int] = field(default_factory=dict)
    failures: dict[int, list[int]] = field(default_factory=dict)
    struck: dict[int, set[str]] = field(default_factory=dict)
    most_reruns: int = 0
    over: bool = False
    passed: bool = False
    begun: bool = False
    skipped: bool = False
    unchanged: bool = False
    needs: tuple[Need, ...] = ()
    speculate: int = 0
    copied: set[int] = field(default_factory=set)
    by_copy: set[int] = field(default_factory=set)
    semaphores: dict[str, int] = field(default_factory=dict)
    exclusive: bool = False
    near: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    hosts: set[str] = field(default_factory=set)
    """Where it has or had slots."""
    alternatives: dict[str, int] = field(default_factory=dict)
    """By allocation that is open."""


@dataclass(slots=True)
class AuditedAttempt:
    """A live attempt, with its cases that were not given back to be run again."""

    group_id: str
    allocation_id: str
    worker_id: str
    slot: int
    cases: tuple[int, ...]
    copy: bool = False


class Books:
    """What is stored so far. Each entry is written by one audit."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.groups: dict[str, AuditedGroup] = {}
        self.runs: dict[str, e.RunFinished | None] = {}
        self.requests: dict[str, str] = {}
        self.stopping: set[str] = set()
        self.collections: dict[str, list[str]] = {}
        self.allocations: dict[str, e.AllocationOpened] = {}
        self.portions: dict[str, dict[int, Portions]] = {}
        self.closing: set[str] = set()
        self.leaving: set[tuple[str, int]] = set()
        """Slots that are given back, by allocation and number."""
        self.attempts: dict[int, AuditedAttempt] = {}

    def allocations_of(self, group_id: str) -> list[e.AllocationOpened]:
        """What a group holds."""
        return [one for one in self.allocations.values() if one.group_id == group_id]

    def attempts_on(self, worker_id: str) -> dict[int, AuditedAttempt]:
        """The live attempts of a worker."""
        return {number: one for number, one in self.attempts.items() if one.worker_id == worker_id}


class Audit:
    """The rules of one subject: a method for each kind of fact that it looks at, by the name of that."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._world = books.world
        self._wrong: Callable[[str], None] = books.world.violate

    def settle(self) -> None:
        """All facts of a commit were looked at."""
