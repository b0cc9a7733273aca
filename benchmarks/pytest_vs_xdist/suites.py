"""The three suites: two that others wrote, and one that is made here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import cache, interpreter, source

_RUNNERS = ["pytest-xdist==3.8.0"]
_PACKAGING_DIGEST = "00243ae351a257117b6a241061796684b084ed1c516a08c48a3f7e147a9d80b4"
_LONG_UNITS = (6, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2)
_LONG_LOOPS = 12_000_000

_LONG = '''"""A few long cases, of known lengths in an order that nobody chose for a scheduler."""

import pytest


@pytest.mark.parametrize("units", {units})
def test_long(units):
    total = 0
    for number in range(units * {loops}):
        total += number & 3
    assert total
'''
_SHORT = """import pytest


@pytest.mark.parametrize("number", range(25))
def test_short(number):
    assert number >= 0
"""


@dataclass(frozen=True, slots=True)
class BenchmarkSuite:
    """A suite, where it runs and with what; `goal` is the largest ratio to the best xdist mode that is good enough."""

    name: str
    about: str
    folder: Path
    python: Path
    arguments: tuple[str, ...]
    goal: float


def networkx() -> BenchmarkSuite:
    """networkx's own tests, out of the installed package, without its optional dependencies."""
    folder = cache() / "networkx-folder"
    folder.mkdir(exist_ok=True)
    python = interpreter("networkx", ["networkx==3.6.1", "pytest==9.2.0", *_RUNNERS])
    arguments = ("--pyargs", "networkx.algorithms", "networkx.classes")
    return BenchmarkSuite("networkx", "networkx 3.6.1, algorithms and classes", folder, python, arguments, 0.8)


def packaging() -> BenchmarkSuite:
    """27,000 small parametrised cases: the tests of packaging's source distribution."""
    folder = source("packaging", "26.0", _PACKAGING_DIGEST)
    # Its tests were written for pytest 8: pytest 9's deprecations are errors to them.
    packages = ["packaging==26.0", "pytest==8.4.2", "pretend==1.0.9", "tomli_w==1.2.0", *_RUNNERS]
    python = interpreter("packaging", packages)
    return BenchmarkSuite("packaging", "packaging 26.0, many small cases", folder, python, ("tests",), 0.5)


def long_cases() -> BenchmarkSuite:
    """Made here, since no suite of the index is dominated by a few CPU-bound cases of one file without a network."""
    folder = cache() / "long-cases"
    folder.mkdir(exist_ok=True)
    for number in range(4):
        (folder / f"test_{number}_short.py").write_text(_SHORT)
    (folder / "test_long.py").write_text(_LONG.format(units=_LONG_UNITS, loops=_LONG_LOOPS))
    python = interpreter("networkx", ["networkx==3.6.1", "pytest==9.2.0", *_RUNNERS])
    return BenchmarkSuite("long", "generated, a few long cases in one file", folder, python, (), 1.0)


SUITES = {"networkx": networkx, "packaging": packaging, "long": long_cases}
