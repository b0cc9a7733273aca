from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.truth.comparing import differences, fleet, outcomes, plain
from tests.truth.kinds import CRASHES, write_every_kind
from tests.truth.subjects import Subject, lay_out
from tests.truth.suites import IN_CI, SUITES

STYLES = ("small parametrised", "asyncio", "hypothesis", "subprocesses", "Django", "session fixtures", "doctests") + (
    "unittest",
    "warnings as errors",
    "heavy conftests",
    "random order",
    "plugins of its own",
)


def test_the_suites_are_many_and_of_every_style() -> None:
    named = " ".join(style for subject in SUITES for style in subject.styles)

    assert len(SUITES) >= 12
    assert sum(subject.least for subject in SUITES) >= 30_000
    assert [style for style in STYLES if style not in named] == []


@pytest.mark.needs_uv
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "subject",
    [pytest.param(subject, marks=() if subject in IN_CI else pytest.mark.truth) for subject in SUITES],
    ids=lambda subject: subject.name,
)
def test_a_suite_shows_what_plain_pytest_shows(subject: Subject, folder: Path) -> None:
    suite = lay_out(subject)

    expected = plain(suite.python, suite.arguments, suite.root, folder)
    found = fleet(suite.python, suite.arguments, suite.root, folder)

    assert len(expected) >= subject.least
    assert outcomes(found) == outcomes(expected)
    different = differences(expected, found)
    assert {name: both for name, both in different.items() if name not in subject.differing} == {}


def test_every_kind_of_outcome_is_the_same_beside_cases_that_crash(folder: Path) -> None:
    root = folder / "kinds"
    write_every_kind(root)
    without = tuple(f"--deselect=test_two.py::{name}" for name in CRASHES)

    expected = plain(Path(sys.executable), without, root, folder)
    found = fleet(Path(sys.executable), (), root, folder)

    crashed = {name: found.pop(f"test_two.py::{name}").outcome for name in CRASHES}
    assert crashed == dict.fromkeys(CRASHES, "crashed")
    assert differences(expected, found) == {}
    assert set(outcomes(found).values()) == {"passed", "failed", "error", "skipped", "xfailed", "xpassed"}
    assert Counter(title for shown in found.values() for title, _ in shown.sections).keys() == {
        f"Captured {what} {when}" for what in ("stdout", "stderr", "log") for when in ("setup", "call", "teardown")
    }
