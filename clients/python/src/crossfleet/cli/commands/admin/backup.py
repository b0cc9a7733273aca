"""`crossfleet admin backup`: one file with all that a fleet has committed."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import sys
from pathlib import Path

from crossfleet.api.coordinator.v1.admin_service_pb2 import BackupSummary
from crossfleet.cli import exits
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `admin backup`."""
    made = command_parser(
        "admin backup",
        "Writes all that a fleet has committed at this moment to a file, while it works on; of a fleet elsewhere too "
        "(CROSSFLEET_ADDRESS). The file can be restored into a data folder or into PostgreSQL, whichever it comes from.",
        "  crossfleet admin backup fleet.backup\n  crossfleet admin backup fleet.backup --artifacts",
    )
    made.add_argument("file", metavar="FILE", help="must not be there yet")
    made.add_argument(
        "--artifacts",
        action="store_true",
        help="with artifacts, workspaces and output of runs; without, their store has to be kept",
    )
    return made


def main(arguments: list[str]) -> int:
    """Makes a backup; answers the exit status."""
    options = parser().parse_args(arguments)
    file = Path(options.file)
    if file.exists():
        raise exits.UsageError(f"{file} is there already: give another name, or remove it")
    if not file.absolute().parent.is_dir():
        raise exits.UsageError(f"there is no folder {file.absolute().parent}")
    part = file.with_name(file.name + ".part")

    async def made(client: Client) -> BackupSummary:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            # Only its owner may read it: specs of runs hold variables.
            async for response in client.admin.backup(artifacts=options.artifacts):
                if response.HasField("summary"):
                    await asyncio.to_thread(os.fsync, opened.fileno())
                    return response.summary
                await asyncio.to_thread(opened.write, response.content)
        raise exits.UsageError("the fleet broke the backup off without saying why: try again")

    part.unlink(missing_ok=True)
    try:
        summary = ask(options.data, made, history=True)
        if not _is_whole(part, summary):
            print(
                f"crossfleet admin backup: {part} does not read back as it was sent: is its disk all right?",
                file=sys.stderr,
            )
            return exits.FLEET
        part.rename(file)
    except OSError as error:
        raise exits.UsageError(f"{part}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    _tell(file, summary, options.output, with_artifacts=options.artifacts)
    return exits.PASSED


def _is_whole(part: Path, summary: BackupSummary) -> bool:
    with part.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return digest == summary.sha256 and part.stat().st_size == summary.size_bytes


def _tell(file: Path, summary: BackupSummary, output: str, *, with_artifacts: bool) -> None:
    if output == "json":
        content = {"file": str(file), "artifacts": with_artifacts, **documents.plain(summary)}
        print(documents.write(documents.envelope("backup", content)))
        return
    size = f"{summary.size_bytes / 1e6:.1f} MB" if summary.size_bytes >= 1e6 else f"{summary.size_bytes / 1e3:.0f} kB"
    print(f"{file}: {size}, read back and whole, sha256 {summary.sha256}")
    print(f"holds what was committed until {summary.taken_at.ToDatetime():%Y-%m-%d %H:%M:%S} UTC", end="")
    print(", artifacts and output of runs" if with_artifacts else "; artifacts and output of runs are not in it")
