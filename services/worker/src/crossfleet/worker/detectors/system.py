"""The system that runs on a host's processors: its kernel, its C library, its large pages."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from crossfleet.worker.detectors import sysfs

_KIBIBYTE = 1024


def system(root: Path) -> dict[str, object]:
    """Attributes of the system."""
    kernel = sysfs.text(root / "proc/sys/kernel/osrelease") or platform.release()
    name, version = _library(root)
    return sysfs.known(
        (
            ("kernel", {"version": kernel} if kernel else None),
            ("libc", name),
            ("libc_version", {"version": version} if version else None),
            ("huge_pages", _huge_pages(root)),
            ("transparent_huge_pages", _chosen(sysfs.text(root / "sys/kernel/mm/transparent_hugepage/enabled"))),
        )
    )


def _library(root: Path) -> tuple[str, str]:
    """Name and version of the C library; that of musl is not told."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = version = ""
    return (name, version) if name else ("musl" if any((root / "lib").glob("ld-musl-*")) else "", "")


def _huge_pages(root: Path) -> int | None:
    """Bytes that are set aside as huge pages, of any size."""
    folders = [*(root / "sys/kernel/mm/hugepages").glob("hugepages-*kB")]
    sizes = [
        (int(one.name[len("hugepages-") : -len("kB")]), sysfs.number(one / "nr_hugepages") or 0) for one in folders
    ]
    return sum(size * count for size, count in sizes) * _KIBIBYTE if folders else None


def _chosen(choice: str) -> str:
    """Of `always [madvise] never` what stands in brackets."""
    return choice.partition("[")[2].partition("]")[0]
