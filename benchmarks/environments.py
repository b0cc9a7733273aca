"""Environments and suites that benchmarks and whole-suite tests need, built once from pinned packages into a cache folder.

The folder is `crossfleet-bench` under XDG_CACHE_HOME (or ~/.cache); CROSSFLEET_BENCH_CACHE names another one. It lies
outside of this repository on purpose: pytest looks for settings above the tests, and would find ours.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

BUILD_SECONDS = 900


class NotAvailable(Exception):
    """What a benchmark needs cannot be had here; the message says what and why, in one line."""


def cache() -> Path:
    """The cache folder, made where it is missing."""
    named = os.environ.get("CROSSFLEET_BENCH_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else base / "crossfleet-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment() -> dict[str, str]:
    """This process's variables without those that would spoil a measurement or lead to another fleet."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "CROSSFLEET_DATA", "CROSSFLEET_ADDRESS")
    return {key: value for key, value in os.environ.items() if key not in dropped}


def interpreter(name: str, requirements: Sequence[str], base: str = sys.executable) -> Path:
    """The interpreter of an environment with exactly these packages and what they need, bytecode compiled.

    `base` is the interpreter that it is made of. Raises NotAvailable where it cannot be built.
    """
    version = sys.version if base == sys.executable else base
    key = hashlib.sha256("\n".join([version, *requirements]).encode()).hexdigest()[:12]
    folder = cache() / f"{name}-{key}"
    python = folder / "bin" / "python"
    if (folder / ".complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"building the environment {name}: {' '.join(requirements)}", file=sys.stderr)
    uv = str(Path(sys.executable).with_name("uv"))
    _run([uv, "venv", "--quiet", "--python", base, str(folder)], name)
    _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *requirements], name)
    (folder / ".complete").touch()
    return python


def source(name: str, version: str, digest: str) -> Path:
    """The unpacked source distribution of a package; `digest` is the SHA-256 of the archive. Raises NotAvailable."""
    folder = cache() / f"{name}-{version}-source"
    inner = folder / "inside"
    if (folder / ".complete").exists() and inner.is_dir():
        return inner
    shutil.rmtree(folder, ignore_errors=True)
    # Only the package itself as source: what its build needs, to say its name, may come as wheels.
    arguments = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(folder)]
    _run([sys.executable, "-m", "pip", *arguments, f"{name}=={version}"], name)
    (archive,) = folder.glob("*.tar.gz")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != digest:
        raise NotAvailable(f"{archive.name} has the SHA-256 {found}, not {digest}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (unpacked,) = (each for each in folder.iterdir() if each.is_dir())
    unpacked.rename(inner)
    (folder / ".complete").touch()
    return inner


def _run(command: list[str], name: str) -> None:
    try:
        done = subprocess.run(
            command, env=_with_index(environment()), capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"{name}: {error}") from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise NotAvailable(f"{name}: {lines[-1] if lines else f'exit status {done.returncode}'}")


def _with_index(variables: dict[str, str]) -> dict[str, str]:
    """uv does not read pip's configuration: hand over what a site has set there."""
    if "UV_DEFAULT_INDEX" not in variables:
        index = variables.get("PIP_INDEX_URL", "")
        if not index:
            asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
            answer = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
            index = answer.stdout.strip() if answer.returncode == 0 else ""
        if index:
            variables["UV_DEFAULT_INDEX"] = index
    return variables
