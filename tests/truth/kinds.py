"""A suite that has every kind of outcome, and that prints wherever a case can."""

from __future__ import annotations

from pathlib import Path

CRASHES = ("test_exits", "test_segfault")
"""Cases of test_two.py that end their process."""

_CONFTEST = """\
import logging, os
import pytest
@pytest.fixture(scope='session')
def number(): yield 41
@pytest.fixture(scope='module', params=['a', 'b'])
def letter(request): return request.param
@pytest.fixture
def broken_after():
    yield
    raise RuntimeError('teardown')
@pytest.fixture
def loud():
    say('before')
    yield
    say('after')
def say(text):
    print(text, 'ü')
    os.write(2, text.encode() + b'\\xff\\x1b[31m')
    logging.getLogger('suite').warning('%s', text)
"""
_MODULE = """\
import ctypes, os, unittest
import pytest
import conftest
@pytest.mark.parametrize('value', range(60))
def test_values(value, number): assert (value + number) % 7
@pytest.mark.parametrize('text', ['ü', 'a b', 'x/y', 'p::q', '[z]', ''])
def test_ids(text, letter): assert text != 'a b'
def test_setup_fails(no_such_fixture): pass
def test_teardown_fails(broken_after): pass
@pytest.mark.parametrize('passes', [True, False])
def test_loud(loud, passes):
    conftest.say('now')
    assert passes
def test_prints_much(): print('x' * 200_000)
@pytest.mark.parametrize('again', ['a', 'a'], ids=['a', 'a'])
def test_parameters(again): print(again)
@pytest.mark.skip
def test_skipped(): pass
def test_skips_itself(): pytest.skip('now')
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.mark.xfail(raises=ValueError)
def test_wrong_kind(): raise KeyError('k')
@pytest.mark.xfail
def test_xpassed(): pass
@pytest.mark.xfail
def test_xfailed(): assert 0
class TestKinds(unittest.TestCase):
    def test_sub(self): self.assertEqual(1, 1)
    def test_fails(self): self.fail('so')
    @unittest.expectedFailure
    def test_expected(self): self.fail('so')
    @unittest.skip('no')
    def test_skip(self): pass
"""
_DYING = """\
def test_exits(): os._exit(1)
def test_segfault(): ctypes.string_at(0)
@pytest.mark.parametrize('value', range(20))
def test_after(value): pass
"""


def write_every_kind(root: Path) -> None:
    """Modules with everything that bends an outcome, and two cases that end their process."""
    root.mkdir()
    (root / "conftest.py").write_text(_CONFTEST)
    for name in ("one", "two", "three", "four"):
        (root / f"test_{name}.py").write_text(_MODULE + (_DYING if name == "two" else ""))
    (root / "test_skipped_whole.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
