"""Output of a slot: its own pipes on descriptors 1 and 2, and a global capture of its own over them."""

from __future__ import annotations

import os
import sys
from typing import Any, List


def flush_standard_streams() -> None:
    """Write out what is buffered, so that a fork does not print it twice and an exit does not lose it."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()  # type: ignore[union-attr]  # a suite may have put anything there
        except (AttributeError, OSError, ValueError):
            pass


def take_own_output(config: Any) -> List[int]:
    """Give a freshly forked slot its own output. Returns the descriptors for the shim.

    Children of one zygote share the offset of the capture's temporary files, so the inherited capture is stopped and
    a new one started over two fresh pipes. The result is [stdout, stderr] read ends, then, when pytest captures at
    descriptor level, the two capture files: from these the shim reads what a case printed before it died. The two
    pipe ends (the first two) are to be closed by the caller once they are sent.
    """
    manager = config.pluginmanager.getplugin("capturemanager")
    if manager is not None:
        manager.stop_global_capturing()
    readers: List[int] = []
    for target in (1, 2):
        reader, writer = os.pipe()
        os.dup2(writer, target)
        os.close(writer)
        readers.append(reader)
    if manager is None:
        return readers
    manager.start_global_capturing()
    captured = _capture_files(manager)
    manager.suspend_global_capture(in_=False)
    return readers + captured


def _capture_files(manager: Any) -> List[int]:
    """Return the descriptors behind the new capture ([] with --capture=sys or no) and make them keep every byte."""
    found: List[int] = []
    for name in ("out", "err"):
        part = getattr(getattr(manager, "_global_capturing", None), name, None)
        file: Any = getattr(part, "tmpfile", None)
        try:
            found.append(file.fileno())
        except (AttributeError, OSError, ValueError):
            continue
        try:
            # Output is bytes: what is no UTF-8 comes back from surrogates instead of being replaced.
            file.reconfigure(errors="surrogateescape")
        except (AttributeError, ValueError):
            pass
    return found if len(found) == 2 else []
