"""Says whether a process that has collected may be forked for slots.

Python threads, a CUDA or ROCm context and gRPC's core do not survive a fork. Native pools (OpenBLAS, OpenMP) do: they
restart themselves after it, so threads that only the kernel sees are no reason to refuse, except gRPC's.
"""

from __future__ import annotations

import os
import sys
import threading

_WAITING_FOR_WORKERS = frozenset({"pytest_rerunfailures"})
_CONTEXT_DEVICES = {"/dev/nvidia-uvm": "CUDA", "/dev/kfd": "ROCm"}


def reason_against_fork() -> str:
    """Return why this process must not be forked, as one line, or an empty string when it may."""
    others = [t for t in threading.enumerate() if t is not threading.main_thread() and not _idle(t)]
    if others:
        names = ", ".join(sorted(t.name for t in others)[:5])
        return "{} Python thread(s) run after collection ({}): start them in a fixture, not at import".format(
            len(others), names
        )
    held = _accelerator_context()
    if held:
        return "a {} context was created at import or collection: create it in a fixture".format(held)
    if "grpc._cython.cygrpc" in sys.modules and _native_threads() > 1:
        return "gRPC was started at import or collection: open channels in a fixture"
    return ""


def _idle(thread: threading.Thread) -> bool:
    """Whether it belongs to a plugin that waits for workers of xdist, of which there are none: no slot misses it."""
    return getattr(getattr(thread, "_target", None), "__module__", "") in _WAITING_FOR_WORKERS


def _accelerator_context() -> str:
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return ""
    for name in names:
        try:
            held = _CONTEXT_DEVICES.get(os.readlink("/proc/self/fd/" + name))
        except OSError:
            continue
        if held:
            return held
    return ""


def _native_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1
