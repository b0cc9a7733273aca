"""A case as its runner, or whoever submitted its run, names it."""

from __future__ import annotations

import msgspec


class CollectedCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A case that a runner found; groups are setup groups, widest first (file, class).

    `named_group` is the group that the suite itself put it into, or empty; `first` says that it goes before others. An
    `exclusive` one measures: nothing else of its run executes on the worker meanwhile.

    A run may have a million of them, so they are no dataclass: they are made, stored and read several times as fast, and are
    never looked through for garbage. Stored is the array of these fields, of which earlier versions had fewer.
    """

    case_id: str
    groups: tuple[str, ...] = ()
    named_group: str = ""
    first: bool = False
    exclusive: bool = False


class StoredCases(tuple[CollectedCase, ...]):  # noqa: SLOT001 - a tuple has none for it
    """The cases of a collection, and what the ledger stores of them: encoded before they are committed, by whom that keeps
    nobody waiting."""

    stored: bytes
