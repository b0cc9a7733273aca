"""Being started ahead of a run: all of pytest that comes before any suite is imported, then the run is waited for."""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import List, Tuple

Stamp = Tuple[str, int, int]
WAITING = "cf-waiting"
"""What ps calls an interpreter that waits for a run."""


def load() -> List[Stamp]:
    """Import pytest and the plugins that it always has. Answers what this process rests on: path, mtime in ns, size.

    These are files of modules, and what decides which modules there are: the interpreter and the folders of installed
    packages with their ``.pth`` files. What has changed since this began has size -1, which no file has. Raises ImportError.
    """
    begun = time.time_ns()
    importlib.import_module("pytest")
    config = importlib.import_module("_pytest.config")
    for name in getattr(config, "default_plugins", ()):
        importlib.import_module("_pytest." + name)
    stamps = [stamp for stamp in map(_stamped, sorted(_grounds())) if stamp is not None]
    return [(path, mtime, size if mtime < begun else -1) for path, mtime, size in stamps]


def take_name(name: str) -> str:
    """Be called so by ps and top. Answers the name before, which is empty where the system has none."""
    try:
        with open("/proc/self/comm", "r+", encoding="utf-8") as file:
            before = file.read().rstrip("\n")
            file.write(name)
    except OSError:
        return ""
    return before


def _grounds() -> "set[str]":
    grounds = {sys.executable, os.path.realpath(sys.executable), os.path.join(sys.prefix, "pyvenv.cfg")}
    grounds.update(getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
    for folder in sys.path:
        if os.path.basename(folder) in ("site-packages", "dist-packages") and os.path.isdir(folder):
            grounds.add(folder)
            grounds.update(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".pth"))
    return {path for path in grounds if os.path.isabs(path)}


def _stamped(path: str) -> "Stamp | None":
    try:
        status = os.stat(path)
    except OSError:
        return None
    return path, status.st_mtime_ns, status.st_size
