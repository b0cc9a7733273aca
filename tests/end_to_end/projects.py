"""Projects and tools that nobody here wrote, from their registries: cached, pinned, skipped by name where unreachable."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.truth.subjects import CACHE, Subject

PYFLAKES = Subject(
    "pyflakes",
    "3.4.0",
    "b24f96fafb7d2ab0ec5075b7350b3d2d2218eab42003821c06344973d3ea2f58",
    ("setuptools==80.9.0",),
)
"""A suite in unittest's style."""


def go_module(name: str, version: str, into: Path) -> Path:
    """A writable copy of a module from the Go proxy."""
    with _locked("go"):
        command = ["go", "mod", "download", "-json", f"{name}@{version}"]
        found = json.loads(_fetched(command, CACHE, f"{name}@{version}").stdout)
    shutil.copytree(found["Dir"], into, copy_function=shutil.copyfile)
    for folder, _, _ in os.walk(into):
        os.chmod(folder, 0o755)
    return into


def npm_packages(name: str, *packages: str) -> Path:
    """A folder with these packages, and what they need, in its node_modules."""
    folder = CACHE / f"npm-{name}"
    with _locked(folder.name):
        if not (folder / ".complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true}')
            _fetched(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], folder, name)
            (folder / ".complete").touch()
    return folder


def headers(package: str, probe: str) -> list[str]:
    """The compiler's words for a Debian package: none where it is installed, else it is unpacked into the cache."""
    if Path("/usr/include", probe).exists():
        return []
    folder = CACHE / f"deb-{package}"
    with _locked(folder.name):
        if not (folder / ".complete").exists():
            if not shutil.which("apt-get"):
                pytest.skip(f"{package} is not here: install it from your system")
            folder.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, check=False)
            archives = sorted(folder.glob("*.deb"))
            if done.returncode or not archives:
                pytest.skip(f"{package} is not here, nor to be had: apt-get install {package}")
            for archive in archives:
                subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
            (folder / ".complete").touch()
    library = next(folder.glob("usr/lib/*"), folder)
    return [f"-I{folder / 'usr/include'}", f"-L{library}"]


def compiled(source: Path, *words: str) -> Path:
    """The binary of a C++ file. Skips where there is no compiler."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler here: install g++ from your system")
    binary = source.with_suffix("")
    command = [compiler, "-std=c++17", "-O0", str(source), "-o", str(binary), *words, "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return binary


@contextmanager
def _locked(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(command: list[str], folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{what} cannot be fetched: {done.stderr[-2000:]}", pytrace=False)
        pytest.skip(f"{what} cannot be fetched: {done.stderr[-300:]}")
    return done
