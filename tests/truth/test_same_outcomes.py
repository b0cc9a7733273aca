from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.truth.comparing import Shown, differences, fleet, outcomes, plain
from tests.truth.subjects import Subject, lay_out
from tests.truth.suites import IN_CI, SUITES

STYLES = ("small parametrised", "asyncio", "hypothesis", "subprocesses", "Django", "session fixtures", "doctests") + (
    "unittest",
    "warnings as errors",
    "heavy conftests",
    "random order",
    "plugins of its own",
)
CRASHES = ("test_exits", "test_segfault")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cf-truth-", ignore_cleanup_errors=True) as name:
        yield Path(name)


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
    different = differences(expected, found)
    assert {name: both for name, both in different.items() if name not in subject.differing} == {}


def write_every_kind(root: Path) -> None:
    """Modules with everything that bends an outcome, and two cases that end their process."""
    root.mkdir()
    (root / "conftest.py").write_text(
        "import logging, os\n"
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def number(): yield 41\n"
        "@pytest.fixture(scope='module', params=['a', 'b'])\n"
        "def letter(request): return request.param\n"
        "@pytest.fixture\n"
        "def broken_after():\n"
        "    yield\n"
        "    raise RuntimeError('teardown')\n"
        "@pytest.fixture\n"
        "def loud():\n"
        "    say('before')\n"
        "    yield\n"
        "    say('after')\n"
        "def say(text):\n"
        "    print(text, 'ü')\n"
        "    os.write(2, text.encode() + b'\\xff\\x1b[31m')\n"
        "    logging.getLogger('suite').warning('%s', text)\n"
    )
    for name in ("one", "two", "three", "four"):
        (root / f"test_{name}.py").write_text(
            "import ctypes, os, unittest\n"
            "import pytest\n"
            "import conftest\n"
            "@pytest.mark.parametrize('value', range(60))\n"
            "def test_values(value, number): assert (value + number) % 7\n"
            "@pytest.mark.parametrize('text', ['ü', 'a b', 'x/y', 'p::q', '[z]', ''])\n"
            "def test_ids(text, letter): assert text != 'a b'\n"
            "def test_setup_fails(no_such_fixture): pass\n"
            "def test_teardown_fails(broken_after): pass\n"
            "@pytest.mark.parametrize('passes', [True, False])\n"
            "def test_loud(loud, passes):\n"
            "    conftest.say('now')\n"
            "    assert passes\n"
            "def test_prints_much(): print('x' * 200_000)\n"
            "@pytest.mark.parametrize('again', ['a', 'a'], ids=['a', 'a'])\n"
            "def test_parameters(again): print(again)\n"
            "@pytest.mark.skip\n"
            "def test_skipped(): pass\n"
            "def test_skips_itself(): pytest.skip('now')\n"
            "@pytest.mark.xfail(strict=True)\n"
            "def test_strict(): pass\n"
            "@pytest.mark.xfail(raises=ValueError)\n"
            "def test_wrong_kind(): raise KeyError('k')\n"
            "@pytest.mark.xfail\n"
            "def test_xpassed(): pass\n"
            "@pytest.mark.xfail\n"
            "def test_xfailed(): assert 0\n"
            "class TestKinds(unittest.TestCase):\n"
            "    def test_sub(self): self.assertEqual(1, 1)\n"
            "    def test_fails(self): self.fail('so')\n"
            "    @unittest.expectedFailure\n"
            "    def test_expected(self): self.fail('so')\n"
            "    @unittest.skip('no')\n"
            "    def test_skip(self): pass\n"
            + (
                "def test_exits(): os._exit(1)\ndef test_segfault(): ctypes.string_at(0)\n"
                "@pytest.mark.parametrize('value', range(20))\ndef test_after(value): pass\n"
                if name == "two"
                else ""
            )
        )
    (root / "test_skipped_whole.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")


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
