"""A suite with every kind of outcome, on each Python and with the oldest and the newest pytest that we speak to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.truth.comparing import differences, fleet, outcomes, plain
from tests.truth.interpreters import interpreter_of
from tests.truth.kinds import CRASHES, write_every_kind
from tests.truth.subjects import environment

OLDEST = "7.0.1"
NEWEST = {"3.8": "8.3.5", "3.9": "8.4.2"}
LATEST = "9.2.0"
"""The newest pytest, of all and of Pythons for which that one is not made."""
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
PAIRS = [(python, pytest) for python in VERSIONS for pytest in (OLDEST, "7.4.4", NEWEST.get(python, LATEST))]
ALWAYS = (("3.8", OLDEST),)


@pytest.mark.needs_uv
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("python", "version"),
    [pytest.param(*pair, marks=() if pair in ALWAYS else pytest.mark.truth) for pair in PAIRS],
)
def test_a_python_and_a_pytest_show_what_they_show_without_a_fleet(python: str, version: str, folder: Path) -> None:
    base = interpreter_of(python)
    inside = environment(f"python-{python}", f"pytest=={version}", base=base)
    root = folder / "kinds"
    write_every_kind(root)
    without = tuple(f"--deselect=test_two.py::{name}" for name in CRASHES)

    expected = plain(inside, without, root, folder)
    found = fleet(inside, (), root, folder)

    crashed = {found.pop(f"test_two.py::{name}").outcome for name in CRASHES}
    assert crashed == {"crashed"}
    assert differences(expected, found) == {}
    assert set(outcomes(found).values()) == {"passed", "failed", "error", "skipped", "xfailed", "xpassed"}
