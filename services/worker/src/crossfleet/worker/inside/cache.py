"""Pytest's cache of last failures where several sessions of one run share it, and what it asks to be run first."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from typing import Any, Dict, Iterator, Optional, Set

_FAILED = "cache/lastfailed"
_KNOWN = "cache/nodeids"
_RUN = "crossfleet/run"
_LOCK_SECONDS = 5.0


class SharedCache:
    """Plugin of a zygote: what its session learned is merged into the cache, in place of what others wrote there.

    The sessions of one run read the cache at their start, and each knows only of its own cases. A case that failed in
    any of them has failed; one that passed is forgotten unless it failed in another.
    """

    def __init__(self, config: Any) -> None:
        self._cache: Any = getattr(config, "cache", None)
        self._root = str(config.rootpath)
        self._run = os.environ.get("CROSSFLEET_RUN", "")
        self._failed: Set[str] = set()
        self._before = self._read(_FAILED)
        known = self._cache.get(_KNOWN, None) if self._cache is not None else None
        self._known = set(known or ()) if getattr(config.option, "newfirst", False) else set()
        self._failed_first = bool(getattr(config.option, "failedfirst", False))

    def comes_first(self, item: Any) -> bool:
        """Whether ``--ff`` or ``--nf`` ask for this item before others."""
        if self._failed_first and item.nodeid in self._before:
            return True
        return bool(self._known) and item.nodeid not in self._known

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note a failure."""
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        """Note what could not be collected."""
        if report.failed:
            self._failed.add(report.nodeid)

    def around_finish(self) -> Iterator[None]:
        """Let pytest write as if it were alone (at the yield), then merge; nobody else does so meanwhile."""
        lock = _locked(self._root) if self._cache is not None else None
        others = self._read(_FAILED)
        yield
        try:
            if self._cache is not None:
                self._merge(others)
        except Exception as error:  # whatever cannot be written: the cache is a convenience
            sys.stderr.write("crossfleet: pytest's cache was not merged: {}\n".format(error))
        finally:
            if lock is not None:
                os.close(lock)

    def _merge(self, others: Dict[str, Any]) -> None:
        own = self._read(_FAILED)
        shared = self._read(_RUN)
        failed_elsewhere = set(shared.get("failed", ())) if shared.get("run") == self._run else set()
        passed = set(self._before).difference(own).difference(failed_elsewhere)
        merged = {name: value for name, value in others.items() if name not in passed}
        merged.update((name, True) for name in own if name not in self._before or name in self._failed)
        if merged != own:
            self._cache.set(_FAILED, merged)
        failed = sorted(failed_elsewhere.union(self._failed))
        if self._run and failed:
            self._cache.set(_RUN, {"run": self._run, "failed": failed})

    def _read(self, key: str) -> Dict[str, Any]:
        found = self._cache.get(key, {}) if self._cache is not None else {}
        return found if isinstance(found, dict) else {}


def _locked(folder: str) -> Optional[int]:
    """Lock a folder for this process; None where that takes too long or cannot be."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    deadline = time.monotonic() + _LOCK_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:
            break
    os.close(descriptor)
    return None
