"""The files in /dev through which a device is used. In a container sysfs shows every device of the host, /dev only its own."""

from __future__ import annotations

import os
from pathlib import Path

from crossfleet.worker.detectors import sysfs


def render_file(root: Path, device: Path) -> Path | None:
    """The file of a graphics card that programs compute through; None where this host or container has none."""
    names = [one.name for one in sysfs.numbered(device / "drm", "renderD")]
    found = root / "dev/dri" / names[0] if names else None
    return found if found is not None and found.exists() else None


def access(file: Path) -> list[str]:
    """The conditions of a device whose file this user may not open; none where they may."""
    return [] if os.access(file, os.R_OK | os.W_OK) else ["unhealthy", "no_access"]
