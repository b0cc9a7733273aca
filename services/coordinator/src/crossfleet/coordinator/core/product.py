"""What a target produced, for those that run only when it has changed: its cases, how they ended, and its artifacts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256

# Of this no artifact is compared: it says how long things took, and in which process.
_COVERAGE = "coverage/"
_MOST_ARTIFACTS = 10_000
_SHOWN = 2
# Artifacts of workers are named `WORKER/SLOT/PATH`.
_BEFORE_PATH = 2

MOST_NAMED = 1_000
"""Of what is not stored at the end of an allocation a worker names no more."""


class NotComparable(Exception):  # an answer, of which the text is shown
    """What was produced cannot be compared with anything, as the text says."""


@dataclass(slots=True)
class Product:
    """Digests of artifacts by name; of those that are not stored an empty one. `unknown`: why there may be others."""

    artifacts: dict[str, str] = field(default_factory=dict)
    unknown: str = ""

    def attach(self, name: str, digest: str) -> None:
        """An artifact is stored."""
        if name not in self.artifacts and len(self.artifacts) >= _MOST_ARTIFACTS:
            self.doubt(f"has left more than {_MOST_ARTIFACTS:,} artifacts")
            return
        self.artifacts[name] = digest

    def miss(self, names: Collection[str]) -> None:
        """These were not stored at the end of an allocation: what is known under their names is of an earlier moment."""
        for name in names:
            self.attach(name, "")
        if len(names) >= MOST_NAMED or any(name.count("/") < _BEFORE_PATH for name in names):
            self.doubt("may have left artifacts that are not stored")

    def doubt(self, why: str) -> None:
        """There may be artifacts of which nothing is known."""
        self.unknown = self.unknown or why

    def digest(self, patterns: Iterable[str]) -> str:
        """Of those artifacts whose path matches a pattern, of all but coverage data without patterns. Raises NotComparable.

        On which worker and slot they were made does not matter, nor how many made the same.
        """
        if self.unknown:
            raise NotComparable(self.unknown)
        patterns = tuple(patterns)
        found: set[tuple[str, str]] = set()
        unmatched = set(patterns)
        for name, digest in self.artifacts.items():
            path = _path(name)
            matching = {pattern for pattern in patterns if fnmatchcase(path, pattern)}
            unmatched -= matching
            if matching if patterns else not path.startswith(_COVERAGE):
                if not digest:
                    raise NotComparable(f"has left {path}, which is not stored")
                found.add((path, digest))
        if unmatched and self.artifacts:
            left = sorted({_path(name) for name in self.artifacts})
            shown = ", ".join(left[:_SHOWN]) + (", ..." if len(left) > _SHOWN else "")
            raise NotComparable(f"has left no artifact that matches {min(unmatched)}, but {shown}")
        if not found:
            raise NotComparable("has left no artifact in CROSSFLEET_ARTIFACTS")
        return sha256("".join(f"{path}\0{digest}\n" for path, digest in sorted(found)).encode()).hexdigest()


def _path(name: str) -> str:
    parts = name.split("/", _BEFORE_PATH)
    return parts[-1] if len(parts) > _BEFORE_PATH else name
