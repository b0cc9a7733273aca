"""This installation: interpreter, parts, git, uv."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator

from crossfleet.cli.commands.version import installed
from crossfleet.cli.diagnosis.finding import Finding
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.interpreter import check_has_pytest, python_of_script, which

_NEEDED = ("crossfleet-coordinator", "crossfleet-scheduler", "crossfleet-worker")


def examine() -> Iterator[Finding]:
    """Python, the parts and their versions, the tools, and the interpreter of `pytest` here."""
    yield Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield from _parts()
    yield _tool("git", "workspaces are then packed by a walk over the folder", "apt-get install git")
    yield _uv()
    yield _pytest()


def _parts() -> Iterator[Finding]:
    found = installed()
    versions = {version for version in found.values() if version}
    missing = [name for name in _NEEDED if not found[name]]
    if missing:
        text = f"{', '.join(missing)} not installed: no fleet can be started here"
        yield Finding("parts", "warn", text, "pip install crossfleet")
    elif len(versions) > 1:
        text = ", ".join(f"{name} {version}" for name, version in found.items())
        yield Finding("parts", "fail", f"versions differ: {text}", "pip install --upgrade crossfleet")
    else:
        yield Finding("parts", "ok", f"all of version {versions.pop()}")


def _tool(name: str, without: str, mend: str) -> Finding:
    found = which(name)
    return Finding(name, "ok", found) if found else Finding(name, "warn", f"not found: {without}", mend)


def _uv() -> Finding:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    found = beside if os.access(beside, os.X_OK) else which("uv")
    if not found:
        return Finding("uv", "warn", "not found: --requirements cannot build environments", "pip install uv")
    try:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("uv", "fail", f"{found} does not start: {error}", "pip install --force-reinstall uv")
    return Finding("uv", "ok", f"{done.stdout.strip()} at {found}")


def _pytest() -> Finding:
    try:
        python = python_of_script("pytest")
        check_has_pytest(python)
    except UsageError as error:
        return Finding("pytest", "warn", str(error), "activate the suite's environment")
    return Finding("pytest", "ok", f"would run with {python}")
