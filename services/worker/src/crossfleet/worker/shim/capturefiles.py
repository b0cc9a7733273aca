"""The files into which pytest captures the output of a slot, read from outside while they are written."""

from __future__ import annotations

import os

_PRINTED_BYTES = 64 * 1024


class CaptureFiles:
    """Descriptors of stdout's and stderr's capture file; none where pytest does not capture at descriptors."""

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    def __bool__(self) -> bool:
        """True where there are any."""
        return bool(self._descriptors)

    def sections(self, limit: int) -> list[list[str]]:
        """Return as sections what was printed and nobody has read; of each file its last ``limit`` bytes."""
        sections = []
        for name, descriptor in zip(("stdout", "stderr"), self._descriptors, strict=False):
            size = os.fstat(descriptor).st_size
            text = os.pread(descriptor, limit, max(0, size - limit)).decode("utf-8", "surrogateescape")
            if text:
                cut = max(0, size - limit)
                mark = f"[crossfleet: {cut} bytes cut here]\n" if cut else ""
                sections.append([f"Captured {name} before the end", mark + text])
        return sections

    def printed(self, places: list[int]) -> list[list[int | str]]:
        """Return what was printed behind ``places``, at most 64 KiB of each file, with the place where it ends.

        A file that is shorter than its place was emptied meanwhile: another phase of the case has begun.
        """
        found: list[list[int | str]] = []
        for descriptor, place in zip(self._descriptors, places, strict=False):
            begin = place if place <= os.fstat(descriptor).st_size else 0
            data = os.pread(descriptor, _PRINTED_BYTES, begin)
            found.append([begin + len(data), data.decode("utf-8", "surrogateescape")])
        return found

    def close(self) -> None:
        """Close the descriptors; harmless a second time."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
