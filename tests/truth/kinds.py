"""A suite that has every kind of outcome, and that prints wherever a case can."""

from __future__ import annotations

from pathlib import Path

CRASHES = ("test_exits", "test_segfault")
"""Cases of test_two.py that end their process."""


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
