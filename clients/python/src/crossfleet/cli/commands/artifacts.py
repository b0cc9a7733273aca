"""`crossfleet artifacts`: the files that a run left."""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact, WaitingArtifact
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.table import table
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `artifacts`."""
    made = command_parser(
        "artifacts",
        "Lists the files that a run left, or fetches them.",
        "  crossfleet artifacts list run-01j...\n  crossfleet artifacts get run-01j... --name '*.png' --into pictures",
    )
    made.add_argument("action", choices=("list", "get"))
    made.add_argument("run_id", metavar="RUN")
    made.add_argument("--name", default="*", metavar="GLOB", help="only these names; default: all")
    made.add_argument("--into", default=".", metavar="DIR", help="where `get` puts them, below their targets' names")
    return made


def main(arguments: list[str]) -> int:
    """Lists or fetches artifacts; answers the exit status."""
    options = parser().parse_args(arguments)
    folder = Path(options.into)

    async def found(client: Client) -> tuple[list[Artifact], list[WaitingArtifact]]:
        await client.runs.get(options.run_id)
        waiting = [
            each for each in await client.artifacts.waiting(options.run_id) if fnmatchcase(each.name, options.name)
        ]
        wanted = [each async for each in client.artifacts.list(options.run_id) if fnmatchcase(each.name, options.name)]
        for artifact in wanted if options.action == "get" else ():
            await _fetch(client, artifact, landing(folder, artifact))
        return wanted, waiting

    artifacts, waiting = ask(options.data, found, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("artifacts", [documents.plain(each) for each in artifacts])))
    elif options.action == "get":
        for artifact in artifacts:
            print(landing(folder, artifact))
        if not artifacts:
            which = "" if options.name == "*" else f" whose name matches {options.name}"
            print(f"crossfleet artifacts: there is none{which}", file=sys.stderr)
    else:
        rows = [(each.target, each.name, str(each.size_bytes), each.case_id) for each in artifacts]
        print(table(("target", "name", "bytes", "case"), rows, right=frozenset((2,))) if rows else "no artifacts")
    for each in waiting:
        print(
            f"crossfleet: {each.name} [{each.target}] could not be stored yet: {each.worker_id} keeps it",
            file=sys.stderr,
        )
    return 0


def landing(folder: Path, artifact: Artifact) -> Path:
    """Where an artifact is written. Raises UsageError for a name that would leave `folder`."""
    name = PurePosixPath(artifact.target or "run") / artifact.name
    if PurePosixPath(artifact.name).is_absolute() or name.is_absolute() or ".." in name.parts or "\0" in str(name):
        raise UsageError(
            f"the artifact {artifact.name!r} of target {artifact.target!r} would be written outside of {folder}"
        )
    return folder / name


async def _fetch(client: Client, artifact: Artifact, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.part")
    try:
        with staged.open("wb") as file:
            async for piece in client.artifacts.download(artifact.digest):
                file.write(piece)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
