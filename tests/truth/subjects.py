"""Suites that nobody here wrote: fetched once, checked against their hash, laid out with an environment of their own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.environments import NotAvailable, cache, interpreter, source

CACHE = cache()


@dataclass(frozen=True)
class Subject:
    """A source distribution that brings its tests, and what they need; all pinned.

    `styles` are what it stands for among the suites of the world, `differing` the ids, with reasons, of cases that print
    something else when plain pytest itself runs them in another order or process; their outcomes are the same.
    """

    name: str
    version: str
    sha256: str
    requirements: tuple[str, ...]
    arguments: tuple[str, ...] = ("tests",)
    least: int = 500
    styles: tuple[str, ...] = ()
    differing: dict[str, str] = field(default_factory=dict)

    @property
    def distribution(self) -> str:
        """As pip names it."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class LaidOut:
    """A suite ready to run: its checkout and its interpreter."""

    root: Path
    python: Path
    arguments: tuple[str, ...]


def lay_out(subject: Subject, *beside: str) -> LaidOut:
    """Fetch what the cache lacks. Skips the test, by name, where nothing can be fetched.

    `beside` are pinned requirements over and above the subject's own, or in place of its own for the same packages.
    """
    with _skipping(subject.name):
        return made_ready(subject, *beside)


def made_ready(subject: Subject, *beside: str) -> LaidOut:
    """The same outside of tests: raises NotAvailable."""
    with locked(subject.name):
        root = source(subject.name, subject.version, subject.sha256) if subject.sha256 else _empty(subject.name)
        return LaidOut(root, interpreter(subject.name, _requirements(subject, beside)), subject.arguments)


def environment(name: str, *requirements: str, base: str = "") -> Path:
    """The interpreter of an environment of pinned packages. Skips the test, by name, where it cannot be built.

    `base` is the interpreter that it is made of; empty: the one that runs.
    """
    with _skipping(name), locked(name):
        return interpreter(name, requirements, base) if base else interpreter(name, requirements)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Alone with what the cache holds under this name."""
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _requirements(subject: Subject, beside: tuple[str, ...]) -> list[str]:
    named = {one.partition("==")[0] for one in beside}
    return [*(one for one in subject.requirements if one.partition("==")[0] not in named), *beside]


def _empty(name: str) -> Path:
    """A folder to run in for a suite that comes with the installed package."""
    folder = CACHE / f"{name}-folder"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def _skipping(what: str) -> Iterator[None]:
    try:
        yield
    except NotAvailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{what} cannot be fetched: {missing}", pytrace=False)
        pytest.skip(f"{what} cannot be fetched: {missing}")
