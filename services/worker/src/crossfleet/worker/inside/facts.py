"""What executes a suite: interpreter, pytest, installed packages and seeds, so that it can be made again elsewhere."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import sysconfig
from typing import Any, Dict, List

_METADATA = (".dist-info", ".egg-info")
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")


def runner_facts(config: Any, setup: Dict[str, Any]) -> Dict[str, Any]:
    """Return what is known of this process, whose ``config`` is pytest's and ``setup`` the shim's."""
    import pytest

    return {
        "executable": sys.executable,
        "python": "{} {}".format(platform.python_implementation(), platform.python_version()),
        "pytest": pytest.__version__,
        "environment_digest": environment_digest(),
        "seeds": _seeds(config),
        "first_number": setup["first_number"],
        "run_slots": setup["run_slots"],
    }


def environment_digest() -> str:
    """Return the sha256 (hex) over interpreter, platform, and installed distributions with their versions."""
    found: List[str] = []
    for folder in sys.path:
        if os.path.basename(folder) in _PACKAGE_FOLDERS and os.path.isdir(folder):
            found.extend(os.path.splitext(name)[0].lower() for name in os.listdir(folder) if name.endswith(_METADATA))
    parts = [sys.version, sysconfig.get_platform(), *sorted(found)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _seeds(config: Any) -> Dict[str, str]:
    seeds = {}
    if os.environ.get("PYTHONHASHSEED", "").isdigit():
        seeds["PYTHONHASHSEED"] = os.environ["PYTHONHASHSEED"]
    randomly = getattr(config.option, "randomly_seed", None)
    if isinstance(randomly, int):
        seeds["randomly_seed"] = str(randomly)
    return seeds
