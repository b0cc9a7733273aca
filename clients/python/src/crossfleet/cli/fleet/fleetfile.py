"""Who serves a data folder: a small file beside the data, and the lock that says whether it is true."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

NAME = "fleet.json"
LOCK = "fleet.lock"


@dataclass(frozen=True, slots=True)
class FleetFile:
    """The address of a live fleet, its supervisor's process id, and the socket that keeps it alive."""

    address: str
    clients: str
    pid: int
    runtime: str
    version: str = ""
    grpc: str = ""
    http: str = ""
    token_file: str = ""


def write(data: str, fleet: FleetFile) -> None:
    """Replaces the file in one step; only its owner can read it."""
    path = os.path.join(data, NAME)
    staged = f"{path}.{os.getpid()}"
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(fleet), file)
    os.replace(staged, path)


def read(data: str) -> FleetFile | None:
    """What the file says, or None where there is none or it cannot be understood."""
    try:
        with open(os.path.join(data, NAME), encoding="utf-8") as file:
            found = json.load(file)
        return FleetFile(**found)
    except (OSError, ValueError, TypeError):
        return None


def remove(data: str) -> None:
    """Forgets the fleet."""
    try:
        os.unlink(os.path.join(data, NAME))
    except FileNotFoundError:
        pass


def take_lock(data: str) -> int | None:
    """The open lock file, held until it is closed or the process ends; None when another process holds it."""
    import fcntl  # not on Windows, where the command line serves fleets elsewhere

    handle = os.open(os.path.join(data, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
