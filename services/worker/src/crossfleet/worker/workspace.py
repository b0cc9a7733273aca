"""The tree of files that a suite runs in: a folder in place, a copy, a fetched tree, or nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from crossfleet.api.types.v1.suite_pb2 import Workspace
from crossfleet.foundation.errors.missing import WorkspaceNotFound
from crossfleet.foundation.errors.requests import LocalPathRefused
from crossfleet.worker.fetching import Fetcher


class Workspaces:
    """Lays out the tree of an allocation."""

    def __init__(self, fetcher: Fetcher, *, embedded: bool) -> None:
        """Only an embedded fleet may use folders in place."""
        self._fetcher = fetcher
        self._embedded = embedded

    async def lay_out(self, workspace: Workspace, place: Path, say: Callable[[str], None]) -> Path:
        """The root of the tree; `place` is where a copy or fetched tree goes.

        Raises LocalPathRefused, WorkspaceNotFound, and what fetching raises (ManifestInvalid, DigestMismatch,
        BlobNotFound, Unavailable, DiskFull).
        """
        source = workspace.WhichOneof("source")
        if source == "local_path":
            return await self._local(Path(workspace.local_path), place, isolated=workspace.isolated)
        if source == "manifest_digest":
            await self._fetcher.lay_out(workspace.manifest_digest, place, say)
            return place
        place.mkdir(parents=True, exist_ok=True)
        return place

    async def _local(self, folder: Path, place: Path, *, isolated: bool) -> Path:
        if not self._embedded:
            raise LocalPathRefused(
                "a workspace in place works only on the fleet's own machine: pack it instead", path=str(folder)
            )
        if not folder.is_absolute() or not folder.is_dir():
            raise WorkspaceNotFound(f"there is no folder {folder}", path=str(folder))
        if isolated:
            await asyncio.to_thread(shutil.copytree, folder, place, symlinks=True, dirs_exist_ok=True)
            return place
        return folder
