"""What a workspace holds, and what its digest says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.client.listing import commit_of, list_files
from crossfleet.client.manifest import canonical
from crossfleet.client.workspace import pack
from crossfleet.foundation.errors import BlobTooLarge, ManifestInvalid, WorkspaceNotFound


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(folder: Path) -> dict[str, suite_pb2.ManifestEntry]:
    manifest = suite_pb2.Manifest.FromString(pack(folder).manifest)
    return {entry.path: entry for entry in manifest.entries}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    write(tmp_path / "src/code.py", "x = 1\n")
    write(tmp_path / "tests/test_code.py", "def test(): pass\n")
    write(tmp_path / ".gitignore", "*.log\nbuild/\n")
    write(tmp_path / "build/out.txt", "built")
    write(tmp_path / "noise.log", "noise")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_tracked_and_unignored_files_are_packed(tree: Path) -> None:
    write(tree / "tests/test_fresh.py", "")
    assert set(paths(tree)) == {".gitignore", "src/code.py", "tests/test_code.py", "tests/test_fresh.py"}


def test_a_deleted_file_is_not_part_of_the_workspace(tree: Path) -> None:
    (tree / "src/code.py").unlink()
    assert "src/code.py" not in paths(tree)


def test_equal_trees_have_one_digest_whatever_their_commit(tree: Path) -> None:
    before = pack(tree)
    git(tree, "commit", "-q", "--allow-empty", "-m", "second")
    after = pack(tree)
    assert before.digest == after.digest
    assert before.commit != after.commit
    assert len(after.commit) == 40


def test_the_executable_bit_is_kept_and_changes_the_digest(tree: Path) -> None:
    before = pack(tree).digest
    (tree / "src/code.py").chmod(0o755)
    assert paths(tree)["src/code.py"].executable
    assert pack(tree).digest != before


def test_links_inside_are_kept_as_links(tree: Path) -> None:
    (tree / "tests/link.py").symlink_to("../src/code.py")
    entry = paths(tree)["tests/link.py"]
    assert (entry.symlink, entry.digest) == ("../src/code.py", "")


@pytest.mark.parametrize("target", ["../../outside", "/etc/passwd", ".."])
def test_links_that_leave_the_workspace_are_refused(tree: Path, target: str) -> None:
    (tree / "escape").symlink_to(target)
    with pytest.raises(ManifestInvalid, match="escape"):
        pack(tree)


def test_files_of_a_submodule_are_packed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    inner = tmp_path_factory.mktemp("inner")
    git(inner, "init", "-q")
    write(inner / "library.py", "")
    write(inner / ".gitignore", "*.tmp")
    git(inner, "add", ".")
    git(inner, "commit", "-q", "-m", "inner")
    git(tree, "submodule", "add", "-q", str(inner), "vendor/inner")
    write(tree / "vendor/inner/left.tmp", "")
    assert {"vendor/inner/library.py", ".gitmodules"} <= set(paths(tree))
    assert "vendor/inner/left.tmp" not in paths(tree)


def test_names_that_git_would_quote_are_packed(tree: Path) -> None:
    write(tree / "tests/with space and ümlaut\n.txt", "")
    assert "tests/with space and ümlaut\n.txt" in paths(tree)


def test_a_name_that_is_not_utf8_is_refused_by_name(tree: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree) + b"/bad\xff.txt")).touch()
    with pytest.raises(ManifestInvalid, match=r"bad\\xff|bad.*udcff"):
        pack(tree)


def test_a_huge_file_is_refused_with_its_name(tree: Path) -> None:
    with (tree / "data.bin").open("wb") as file:
        file.truncate(3 * 1024**3)
    with pytest.raises(BlobTooLarge, match=r"data\.bin"):
        pack(tree)


def test_without_git_the_usual_caches_are_left_out(tmp_path: Path) -> None:
    for name in ("a.py", "pkg/b.py", "__pycache__/a.pyc", ".venv/lib/x.py", "node_modules/y.js", "pkg/c.pyc"):
        write(tmp_path / name, "")
    (tmp_path / "loop").symlink_to(".")
    assert list_files(tmp_path) == ["a.py", "loop", "pkg/b.py"]
    assert commit_of(tmp_path) == ""


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceNotFound, match="nowhere"):
        pack(tmp_path / "nowhere")


@given(st.lists(st.tuples(st.text(min_size=1), st.booleans()), unique_by=lambda each: each[0]), st.randoms())
def test_a_manifest_does_not_depend_on_the_order_in_which_files_were_found(
    files: list[tuple[str, bool]], random: object
) -> None:
    entries = [suite_pb2.ManifestEntry(path=path, digest="d", executable=bit) for path, bit in files]
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert canonical(entries) == canonical(shuffled)
