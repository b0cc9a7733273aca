"""Which part of the suite this machine runs, and the durations by which it is cut."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.cli.durations import file, measured
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.options import RunOptions
from crossfleet.cli.running.results import RunResults
from crossfleet.client import Client
from crossfleet.client.artifacts import Blob
from crossfleet.client.durations import durations_message

MOST_SHARDS = 10_000
_SHARD = re.compile(r"(\d+)/(\d+)", re.ASCII)
# Number, first number, how many: as the makers document them.
_CI_VARIABLES = (
    ("GitLab", "CI_NODE_INDEX", 1, "CI_NODE_TOTAL"),
    ("CircleCI", "CIRCLE_NODE_INDEX", 0, "CIRCLE_NODE_TOTAL"),
    ("Buildkite", "BUILDKITE_PARALLEL_JOB", 0, "BUILDKITE_PARALLEL_JOB_COUNT"),
    ("Bitbucket", "BITBUCKET_PARALLEL_STEP", 0, "BITBUCKET_PARALLEL_STEP_COUNT"),
    ("Azure Pipelines", "SYSTEM_JOBPOSITIONINPHASE", 1, "SYSTEM_TOTALJOBSINPHASE"),
    ("Semaphore", "SEMAPHORE_JOB_INDEX", 1, "SEMAPHORE_JOB_COUNT"),
)


@dataclass(frozen=True, slots=True)
class Sharding:
    """Part `index` of `count`, and what is known of durations; `update` names the file that is written after the run."""

    index: int = 1
    count: int = 1
    seconds: Mapping[str, float] = field(default_factory=dict)
    update: Path | None = None
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(options: RunOptions) -> Sharding:
        """From the command line. Raises UsageError."""
        index, count = shard_of(options.shard, os.environ) if options.shard else (1, 1)
        path = Path(options.durations) if options.durations else None
        if options.update_durations and path is None:
            raise UsageError("--update-durations: name the file with --durations FILE")
        if options.update_durations and count > 1:
            raise UsageError(
                "--update-durations: every shard would write another file, and the next run would be cut differently on "
                "each machine: let `crossfleet merge --durations FILE` write it"
            )
        lonely = ("--shard without --json FILE: there will be nothing for `crossfleet merge` to join",)
        notes = lonely if count > 1 and not options.json else ()
        if path is None:
            return Sharding(index, count, notes=notes)
        seconds, more = _read(path, update=options.update_durations)
        return Sharding(index, count, seconds, path if options.update_durations else None, (*notes, *more))

    async def as_message(self, client: Client) -> suite_pb2.Shard | None:
        """What the fleet is told, the durations sent before; None where there is nothing to tell."""
        if self.count == 1 and not self.seconds:
            return None
        shard = suite_pb2.Shard(index=self.index, count=self.count)
        if self.seconds:
            blob = Blob.of_bytes(durations_message(self.seconds).SerializeToString(deterministic=True))
            await client.artifacts.upload([blob])
            shard.durations_digest = blob.digest
        return shard

    def learn(self, results: RunResults) -> None:
        """Writes the durations file where that was asked for. Raises OSError."""
        if self.update is not None:
            found = measured.measured(results.cases)
            file.write(self.update, {**self.seconds, **measured.steadied(self.seconds, found)})


def shard_of(text: str, environment: Mapping[str, str]) -> tuple[int, int]:
    """Index, from 1, and count of `3/10`, or of what a CI says where it is `auto`. Raises UsageError."""
    return _from_ci(environment) if text == "auto" else _parsed("--shard", text)


def _parsed(what: str, text: str) -> tuple[int, int]:
    found = _SHARD.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{what} {text!r}: write INDEX/COUNT such as 3/10, or auto")
    return _checked(what, int(found[1]), int(found[2]))


def _checked(what: str, index: int, count: int) -> tuple[int, int]:
    if not 1 <= count <= MOST_SHARDS or not 1 <= index <= count:
        raise UsageError(f"{what}: shard {index} of {count}: shards count from 1, there may be 1 to {MOST_SHARDS:,}")
    return index, count


def _from_ci(environment: Mapping[str, str]) -> tuple[int, int]:
    own = environment.get("CROSSFLEET_SHARD", "")
    if own:
        return _parsed("CROSSFLEET_SHARD", own)
    for maker, index, first, count in _CI_VARIABLES:
        total = environment.get(count, "")
        number = environment.get(index, "") or (str(first) if total == "1" else "")
        if not total or not number:
            continue
        if not (total.isdecimal() and number.isdecimal()):
            raise UsageError(f"--shard auto: {maker} says {index}={number} and {count}={total}, which are no numbers")
        return _checked(f"--shard auto ({index}, {count})", int(number) - first + 1, int(total))
    names = ", ".join(f"{index} and {count} ({maker})" for maker, index, _, count in _CI_VARIABLES)
    raise UsageError(
        f"--shard auto: no CI says here which part this is. Set CROSSFLEET_SHARD=INDEX/COUNT; also read are {names}"
    )


def _read(path: Path, *, update: bool) -> tuple[dict[str, float], tuple[str, ...]]:
    """What a file says, and notes for people. What is no file of durations is not written over."""
    if path.name.isdecimal():
        raise UsageError(f"--durations {path} names a file; pytest's own --durations N goes after `--`")
    if update:
        file.read_or_none(path, "--durations")
    try:
        seconds, wrong = file.read(path)
    except FileNotFoundError:
        return {}, (f"--durations {path}: is not there yet",)
    except file.NoDurations as error:
        return {}, (f"--durations {path}: not used: {error}",)
    if wrong:
        return seconds, (f"--durations {path}: {wrong} entries are no durations and are not used",)
    return seconds, ()
