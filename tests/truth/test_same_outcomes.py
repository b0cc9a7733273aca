from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.truth.comparing import differences, fleet, plain
from tests.truth.subjects import CLICK, DATEUTIL, JINJA, Subject, lay_out

CRASHES = ("test_exits", "test_segfault")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cf-truth-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.mark.needs_uv
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "subject",
    [CLICK, pytest.param(DATEUTIL, marks=pytest.mark.truth), pytest.param(JINJA, marks=pytest.mark.truth)],
    ids=lambda subject: subject.name,
)
def test_a_suite_has_the_outcomes_that_plain_pytest_gives(subject: Subject, folder: Path) -> None:
    suite = lay_out(subject)

    expected = plain(suite.python, suite.arguments, suite.root, folder)
    found = fleet(suite.python, suite.arguments, suite.root, folder)

    assert len(expected) >= subject.least
    assert differences(expected, found) == {}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "package",
    ["networkx.classes", pytest.param("networkx", marks=pytest.mark.truth)],
)
def test_networkx_has_the_outcomes_that_plain_pytest_gives(package: str, folder: Path) -> None:
    arguments = ("--pyargs", package)

    expected = plain(Path(sys.executable), arguments, folder, folder)
    found = fleet(Path(sys.executable), arguments, folder, folder)

    assert len(expected) >= 500
    assert differences(expected, found) == {}


def write_every_kind(root: Path) -> None:
    """Modules with everything that bends an outcome, and two cases that end their process."""
    root.mkdir()
    (root / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def number(): yield 41\n"
        "@pytest.fixture(scope='module', params=['a', 'b'])\n"
        "def letter(request): return request.param\n"
        "@pytest.fixture\n"
        "def broken_after():\n"
        "    yield\n"
        "    raise RuntimeError('teardown')\n"
    )
    for name in ("one", "two", "three", "four"):
        (root / f"test_{name}.py").write_text(
            "import ctypes, os, unittest\n"
            "import pytest\n"
            "@pytest.mark.parametrize('value', range(60))\n"
            "def test_values(value, number): assert (value + number) % 7\n"
            "@pytest.mark.parametrize('text', ['ü', 'a b', 'x/y', 'p::q', '[z]', ''])\n"
            "def test_ids(text, letter): assert text != 'a b'\n"
            "def test_setup_fails(no_such_fixture): pass\n"
            "def test_teardown_fails(broken_after): pass\n"
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

    crashed = {f"test_two.py::{name}": "crashed" for name in CRASHES}
    assert differences(expected | crashed, found) == {}
    assert set(Counter(found.values())) == {"passed", "failed", "error", "skipped", "xfailed", "xpassed", "crashed"}
