"""On what kind of file system a path lies: SQLite's locks do not hold on a network file system."""

from __future__ import annotations

import re
from pathlib import Path

from crossfleet.foundation.errors.installation import NetworkFileSystem

_NETWORK = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gpfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
    ]
)
_NETWORK_FUSE = frozenset(
    ["ceph", "davfs2", "gcsfuse", "glusterfs", "juicefs", "mountpoint-s3", "rclone", "s3fs", "sshfs"]
)
_MOUNT_TABLE = Path("/proc/self/mountinfo")


def filesystem_of(path: str | Path, mount_table: str | None = None) -> tuple[str, str]:
    """(mount point, type) of the file system that holds `path`, which need not exist yet; ("", "") where unknown.

    `mount_table` is the text of a mountinfo file, by default this process's own. Raises nothing.
    """
    if mount_table is None:
        try:
            mount_table = _MOUNT_TABLE.read_text(errors="surrogateescape")
        except OSError:  # not Linux
            return "", ""
    real = Path(path).resolve()
    best = ("", "")
    for line in mount_table.splitlines():
        mounted, dash, source = line.partition(" - ")
        fields = mounted.split()
        if not dash or len(fields) < 5 or not source:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        # A later mount on the same place hides the earlier one.
        if len(place) >= len(best[0]) and real.is_relative_to(place):
            best = (place, source.split()[0])
    return best


def filesystem_type(path: str | Path, mount_table: str | None = None) -> str:
    """The type alone: "ext4", "nfs4", "fuse.sshfs"; "" where unknown."""
    return filesystem_of(path, mount_table)[1]


def refuse_network_filesystem(path: str | Path, mount_table: str | None = None) -> None:
    """Raises NetworkFileSystem when `path` lies on one. A 9p root is a sandbox's own disk and passes."""
    place, kind = filesystem_of(path, mount_table)
    network = kind in _NETWORK or (kind.startswith("fuse.") and kind.removeprefix("fuse.") in _NETWORK_FUSE)
    if network and not (kind == "9p" and place == "/"):
        raise NetworkFileSystem(
            f"{path} lies on a network file system ({kind} at {place}), where SQLite's locks do not hold:"
            " choose a data folder on a local disk, or a PostgreSQL URL",
            path=path,
            type=kind,
        )
