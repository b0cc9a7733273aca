"""Where a replay runs: its folder and its interpreter, found here or built as a worker would."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reproduction.order import Order
from crossfleet.cli.running.interpreter import check_has_pytest, which
from crossfleet.client.listing import git_root

_BUILD_SECONDS = 1800.0


def folder_of(order: Order, here: Path) -> Path:
    """The folder in which the suite ran, in this checkout where it ran in another. Raises UsageError."""
    if order.folder and Path(order.folder, order.root).is_dir():
        return Path(order.folder, order.root)
    top = git_root(here) or here
    if (found := top / order.root).is_dir():
        return found
    raise UsageError(f"there is no folder {order.root} in {top}: call it in the checkout of the suite that failed")


def interpreter_of(order: Order, named: str, data: str) -> str:
    """The interpreter for a replay: the one that is named, the recorded one, or one built from the requirements.

    Raises UsageError where there is none, or it has no pytest.
    """
    if named:
        python = which(os.path.expanduser(named))
        if not python:
            raise UsageError(f"--python {named}: there is no such interpreter")
    elif order.python and which(order.python):
        python = order.python
    elif order.requirements:
        python = _built(order, Path(data, "cache", "environments"))
    else:
        raise UsageError(
            f"the run's interpreter {order.python or '(the default of its worker)'} is not on this machine: "
            "name one that has the suite's packages with --python PATH"
        )
    check_has_pytest(python)
    return python


def _built(order: Order, cache: Path) -> str:
    """An environment of the requirements, built once by uv, where `crossfleet clean` finds it."""
    key = hashlib.sha256(f"{order.python_version}\0{order.requirements}".encode()).hexdigest()
    ready, beside = cache / f"reproduce-{key}", cache / f"reproduce-{key}.building"
    if ready.is_dir():
        os.utime(ready)
        return str(ready / "bin" / "python")
    uv = _uv()
    cache.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(beside, ignore_errors=True)
    listing = cache / f"reproduce-{key}.txt"
    listing.write_text(order.requirements, encoding="utf-8")
    version = ["--python", order.python_version] if order.python_version else []
    try:
        _run([uv, "venv", "--quiet", "--relocatable", *version, str(beside)])
        python = str(beside / "bin" / "python")
        _run([uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(listing)])
        beside.rename(ready)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return str(ready / "bin" / "python")


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise UsageError("the run's environment is built from requirements by uv, which is not here: pip install uv")
    return found


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"uv {command[1]} took longer than {_BUILD_SECONDS:.0f} s") from None
    if done.returncode:
        raise UsageError(
            f"the environment of the run cannot be built here; --python PATH names another:\n{done.stderr[-4000:]}"
        )
