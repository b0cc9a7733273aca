"""Locks of a data folder, and where it may lie."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crossfleet.foundation.errors import DataFolderInUse, NetworkFileSystem
from crossfleet.foundation.filesystems import filesystem_of, filesystem_type, refuse_network_filesystem
from crossfleet.foundation.lock import FolderLock, Owner

_HOLD = """
import sys
from crossfleet.foundation.lock import FolderLock
lock = FolderLock(sys.argv[1]).acquire()
lock.announce("unix:/run/c")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_has_one_owner_who_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with FolderLock(folder) as lock:
        lock.announce("unix:/a/rather/long/address")
        lock.announce("unix:/run/c")
        assert FolderLock.owner(folder) == Owner(os.getpid(), "unix:/run/c")
        with pytest.raises(DataFolderInUse, match="unix:/run/c") as caught:
            FolderLock(folder).acquire()
    assert caught.value.metadata == {"path": str(folder), "pid": str(os.getpid()), "address": "unix:/run/c"}
    assert FolderLock.owner(folder) is None


def test_the_lock_of_a_killed_owner_is_taken_over(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert FolderLock.owner(tmp_path) == Owner(holder.pid, "unix:/run/c")
        with pytest.raises(DataFolderInUse, match=str(holder.pid)):
            FolderLock(tmp_path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        with FolderLock(tmp_path):
            assert FolderLock.owner(tmp_path) == Owner(os.getpid(), "")
    finally:
        holder.kill()
        holder.communicate()


def test_a_lock_that_is_held_can_be_entered_and_released_twice(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with lock.acquire():
        assert FolderLock.owner(tmp_path) == Owner(os.getpid(), "")
    lock.release()
    assert FolderLock.owner(tmp_path) is None


def test_a_folder_that_was_never_used_has_no_owner(tmp_path: Path) -> None:
    assert FolderLock.owner(tmp_path / "nothing") is None


_TABLE = r"""
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:40 / /home rw - nfs4 server:/home rw
31 30 0:41 / /home/me/my\040disk rw - ext4 /dev/vdb rw
32 22 0:42 / /remote rw shared:1 - fuse.sshfs me@host: rw
33 22 0:43 / /mnt/c rw - 9p drvfs rw
34 22 0:44 / /over rw - nfs server:/x rw
35 22 0:45 / /over rw - tmpfs tmpfs rw
garbage
"""


@pytest.mark.parametrize("path", ["/home/me/data", "/remote/x/y", "/mnt/c/data"])
def test_a_folder_on_a_network_file_system_is_refused(path: str) -> None:
    with pytest.raises(NetworkFileSystem, match="PostgreSQL") as caught:
        refuse_network_filesystem(path, _TABLE)
    assert caught.value.metadata["path"] == path


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib/x", "ext4"), ("/home/me/my disk/data", "ext4"), ("/over/data", "tmpfs"), ("/homely", "ext4")],
)
def test_a_local_folder_passes(path: str, kind: str) -> None:
    refuse_network_filesystem(path, _TABLE)
    assert filesystem_type(path, _TABLE) == kind


def test_the_root_of_a_sandbox_passes_as_its_own_disk() -> None:
    table = "22 1 0:1 / / rw - 9p none rw"
    refuse_network_filesystem("/data", table)
    assert filesystem_of("/data", table) == ("/", "9p")


def test_this_machine_has_a_file_system(tmp_path: Path) -> None:
    assert filesystem_type(tmp_path)
