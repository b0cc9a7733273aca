"""Interpreters of this machine, other than the one that runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def interpreter_of(version: str) -> str:
    """A working interpreter of a version such as 3.8. Skips the test, by name, where none is here."""
    for candidate in _candidates(version):
        asked = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
        except OSError:
            continue
        if done.stdout.strip() == version:
            return candidate
    pytest.skip(f"no Python {version} is here: on PATH, below PYENV_ROOT, or installed by uv")


def _candidates(version: str) -> Iterator[str]:
    if named := shutil.which(f"python{version}"):
        yield named
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(str(place / "bin" / "python") for place in pyenv.glob(f"versions/{version}.*"))
    if uv := shutil.which("uv"):
        found = [uv, "python", "find", "--no-python-downloads", "--system", version]
        done = subprocess.run(found, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            yield done.stdout.strip()
