"""Suites that nobody here wrote: fetched once, checked against their hash, laid out with an environment of their own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / ".crossfleet" / "suites"


@dataclass(frozen=True)
class Subject:
    """A source distribution that brings its tests, and what they need; all pinned."""

    name: str
    version: str
    sha256: str
    requirements: tuple[str, ...]
    arguments: tuple[str, ...] = ("tests",)
    least: int = 500

    @property
    def distribution(self) -> str:
        """As pip names it."""
        return f"{self.name}=={self.version}"


CLICK = Subject(
    "click",
    "8.1.8",
    "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a",
    ("pytest==8.4.2", "click==8.1.8"),
)
DATEUTIL = Subject(
    "python-dateutil",
    "2.9.0.post0",
    "37dd54208da7e1cd875388217d5e00ebd4179249f90fb72437e91a35459a0ad3",
    ("pytest==8.4.2", "pytest-cov==7.0.0", "python-dateutil==2.9.0.post0", "six==1.17.0", "freezegun==1.5.5")
    + ("hypothesis==6.140.2", "attrs==25.3.0"),
)
JINJA = Subject(
    "jinja2",
    "3.1.6",
    "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d",
    ("pytest==8.4.2", "jinja2==3.1.6", "markupsafe==3.0.3", "trio==0.31.0"),
)


@dataclass(frozen=True)
class LaidOut:
    """A suite ready to run: its checkout and its interpreter."""

    root: Path
    python: Path
    arguments: tuple[str, ...]


def lay_out(subject: Subject, *beside: str) -> LaidOut:
    """Fetch what the cache lacks. Skips the test, by name, where nothing can be fetched.

    `beside` are pinned requirements over and above the subject's own.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{subject.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archive = _archive(subject)
        root = CACHE / f"{subject.name}-{subject.version}"
        if not root.is_dir():
            staged = CACHE / f".{root.name}.part"
            with tarfile.open(archive) as content:
                content.extractall(staged, filter="data")
            (inside,) = staged.iterdir()
            inside.rename(root)
            staged.rmdir()
        return LaidOut(root, environment_of(subject, *beside), subject.arguments)


def environment(name: str, *requirements: str) -> Path:
    """The interpreter of an environment of pinned packages. Skips the test, by name, where it cannot be built."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return environment_of(Subject(name, "0", "", requirements))


def _archive(subject: Subject) -> Path:
    downloads = CACHE / "downloads" / subject.name
    if not (found := list(downloads.glob("*.tar.gz"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        _fetch([*command, "--dest", str(downloads), subject.distribution], subject.distribution)
        found = list(downloads.glob("*.tar.gz"))
    (archive,) = found
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert digest == subject.sha256, f"{archive} is not what was pinned: {digest}"
    return archive


def environment_of(subject: Subject, *beside: str) -> Path:
    """The interpreter of an environment with its requirements, and those `beside` in place of its own for the same packages.

    Skips the test where the cache lacks it and none can be had.
    """
    named = {one.partition("==")[0] for one in beside}
    requirements = (*(one for one in subject.requirements if one.partition("==")[0] not in named), *beside)
    key = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    place = CACHE / f"{subject.name}-env-{key}"
    if not (place / ".complete").exists():
        _fetch(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], subject.name)
        command = ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(place / "bin" / "python")]
        _fetch([*command, *requirements], subject.name)
        (place / ".complete").touch()
    return place / "bin" / "python"


def _fetch(command: list[str], what: str) -> None:
    environment = dict(os.environ)
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if index:
        environment.setdefault("UV_DEFAULT_INDEX", index)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{what} cannot be fetched: {done.stderr[-2000:]}", pytrace=False)
        pytest.skip(f"{what} cannot be fetched: {done.stderr[-300:]}")
