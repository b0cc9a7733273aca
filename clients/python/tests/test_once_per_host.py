from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_plain_pytest_makes_it_once_and_ends_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def serve():\n"
        "    print('UP')\n"
        "    yield {'port': 7}\n"
        "    print('DOWN')\n"
        "@pytest.fixture(scope='module')\n"
        "def port(once_per_host): return once_per_host('server', serve)['port']\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_it(n, port, once_per_host): assert port == once_per_host('server', serve)['port'] == 7\n"
        "def test_value(once_per_host): assert once_per_host('value', lambda: (1, 2)) == [1, 2]\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)], env=kept, capture_output=True, text=True, check=False
    )

    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert (done.stdout.count("UP"), done.stdout.count("DOWN")) == (1, 1)
