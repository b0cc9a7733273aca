"""Which files of a folder make up a workspace."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from crossfleet.foundation.errors import RequirementMissing, WorkspaceNotFound

GIT_SECONDS = 60.0
IGNORED_FOLDERS = frozenset(
    (".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules", ".tox", ".nox", ".eggs", ".crossfleet")
) | frozenset((".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".idea", ".vscode"))
"""Folders that a walk leaves out where no git says what is ignored."""


def git_root(folder: Path) -> Path | None:
    """The top of the git working tree that holds `folder`, or None."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None


def list_files(root: Path) -> list[str]:
    """Relative paths, `/` as separator: what git tracks or does not ignore, else a walk without the usual caches.

    Initialised submodules are listed with their own tracked and unignored files. Raises WorkspaceNotFound where `root`
    is no folder, RequirementMissing where it is a git tree and git cannot list it.
    """
    if not root.is_dir():
        raise WorkspaceNotFound(f"the workspace {root} is not a folder", path=str(root))
    return sorted(set(_git_files(root) if (root / ".git").exists() else _walk(root)))


def commit_of(root: Path) -> str:
    """The commit that is checked out, with `-dirty` where tracked files differ; empty without git and before the first."""
    if not (root / ".git").exists():
        return ""
    try:
        # Without tags to name, the whole hash is left.
        described = _git(root, "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
        return described.decode("ascii", "replace").strip()
    except RequirementMissing:
        return ""


def _git_files(root: Path) -> list[str]:
    files: list[str] = []
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in os.fsdecode(listed).split("\0"):
        path = root / name
        if not name:
            continue
        if not path.is_symlink() and path.is_dir():
            # A submodule, or another repository inside: git names only its folder. One that is not checked out is empty.
            inner = _git_files(path) if (path / ".git").exists() else []
            files += [f"{name.rstrip('/')}/{each}" for each in inner]
        else:
            files.append(name)
    return files


def _git(root: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise RequirementMissing("git is not installed, and the workspace is a git tree", name="git") from None
    except subprocess.TimeoutExpired:
        raise RequirementMissing(f"git did not list {root} within {GIT_SECONDS:.0f} s", name="git") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        raise RequirementMissing(f"git cannot read {root}: {said}", name="git") from None
    return done.stdout


def _walk(root: Path) -> list[str]:
    files: list[str] = []
    for folder, names, found in os.walk(root):
        inside = os.path.relpath(folder, root)
        prefix = "" if inside == "." else inside.replace(os.sep, "/") + "/"
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        names[:] = sorted(name for name in names if name not in IGNORED_FOLDERS and name not in links)
        files += [prefix + name for name in (*found, *links) if not name.endswith(".pyc")]
    return files
