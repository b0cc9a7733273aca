"""Being started ahead of a run: all of pytest that comes before any suite is imported, then the run is waited for."""

from __future__ import annotations

import importlib
import os
import site
import sys
import time
from typing import List, Tuple

Stamp = Tuple[str, int, int]
WAITING = "cf-waiting"
"""What ps calls an interpreter that waits for a run."""


def load() -> List[Stamp]:
    """Import pytest and the plugins that it always has. Answers what this process rests on: path, mtime in ns, size.

    These are files of modules, and what decides which modules there are: the interpreter and the folders of installed
    packages with their ``.pth`` files. A size of -1: there is no such file, and none may appear; -2: it has changed since
    this began. Raises ImportError.
    """
    begun = time.time_ns()
    importlib.import_module("pytest")
    config = importlib.import_module("_pytest.config")
    for name in getattr(config, "default_plugins", ()):
        importlib.import_module("_pytest." + name)
    stamps = [_stamped(path) for path in sorted(_grounds())]
    return [(path, mtime, size if mtime < begun else -2) for path, mtime, size in stamps]


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
    for folder in _package_folders():
        grounds.add(folder)
        if os.path.isdir(folder):
            grounds.update(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".pth"))
    return {path for path in grounds if os.path.isabs(path)}


def _package_folders() -> List[str]:
    """Folders of installed packages, also those that Python would look into if they were there: a first package makes them."""
    folders = [folder for folder in sys.path if os.path.basename(folder) in ("site-packages", "dist-packages")]
    if hasattr(site, "getsitepackages"):  # not in old virtual environments
        folders += site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return folders


def _stamped(path: str) -> Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return path, 0, -1
    return path, status.st_mtime_ns, status.st_size
