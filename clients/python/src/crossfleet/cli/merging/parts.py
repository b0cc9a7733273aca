"""What a command line of `merge` names: reports of shards, coverage data, folders of both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.reading import read_report
from crossfleet.cli.running.results import RunResults

_SQLITE = b"SQLite format 3\0"
_HEAD_BYTES = 64 * 1024
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Part:
    """One shard's report, and the file that it was read from."""

    path: Path
    results: RunResults

    @property
    def run(self) -> run_pb2.Run:
        """The shard's run."""
        return self.results.run

    @property
    def shard(self) -> suite_pb2.Shard:
        """Which part of how many."""
        return self.run.spec.policy.shard


def find_parts(words: Sequence[str]) -> tuple[list[Part], list[Path]]:
    """Reports and coverage data, in the order in which they are named. Raises UsageError."""
    reports: list[Part] = []
    coverage: list[Path] = []
    for path, named in _files(words):
        if _is_coverage(path):
            coverage.append(path)
        elif named or _is_report(path):
            reports.append(_part(path))
    if not reports:
        raise UsageError(
            f"no report of a shard in {', '.join(words)}: `crossfleet run --shard INDEX/COUNT --json FILE` writes one"
        )
    return reports, coverage


def _files(words: Iterable[str]) -> Iterable[tuple[Path, bool]]:
    """Each file once, and whether it was named itself rather than found in a folder."""
    seen = set()
    for word in words:
        path = Path(word)
        if not path.exists():
            raise UsageError(f"{word}: there is no such file or folder")
        for each in _inside(path) if path.is_dir() else [path]:
            if each.resolve() not in seen:
                seen.add(each.resolve())
                yield each, not path.is_dir()


def _inside(folder: Path) -> list[Path]:
    found = list(islice((each for each in folder.rglob("*") if each.is_file()), _MOST_FILES + 1))
    if len(found) > _MOST_FILES:
        raise UsageError(f"{folder}: has more than {_MOST_FILES} files: name the folder of the reports alone")
    return sorted(found)


def _is_coverage(path: Path) -> bool:
    if not path.name.startswith(".coverage") and path.suffix not in (".coverage", ".db", ".sqlite"):
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _is_report(path: Path) -> bool:
    """Of a folder only what begins as our reports do: a durations file or another tool's JSON may lie beside them."""
    if path.suffix != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.lstrip().startswith(b"{") and b'"schema"' in head and b'"run"' in head


def _part(path: Path) -> Part:
    part = Part(path, read_report(path))
    if not part.run.spec.policy.HasField("shard"):
        raise UsageError(f"{path}: is the report of a whole run, not of a shard (--shard INDEX/COUNT)")
    return part


def same_content(one: Path, other: Path) -> bool:
    """Whether two reports say the same, however they are written."""
    return bool(json.loads(one.read_text(encoding="utf-8")) == json.loads(other.read_text(encoding="utf-8")))
