"""Requirements files are sent as text that a worker anywhere can follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.requirements import read_requirements


def test_included_files_are_put_in_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "all.txt").write_text("a==1\n-r parts/more.txt  # the rest\nz\n")
    (tmp_path / "parts" / "more.txt").write_text("--requirement=most.txt\nb>=2 ; python_version > '3'\n")
    (tmp_path / "parts" / "most.txt").write_text(
        "--index-url https://index.invalid/simple\nc @ https://x.invalid/c.whl\n"
    )
    text = read_requirements(str(tmp_path / "all.txt"))
    assert text.splitlines() == [
        "a==1",
        "--index-url https://index.invalid/simple",
        "c @ https://x.invalid/c.whl",
        "b>=2 ; python_version > '3'",
        "z",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "cannot be installed on a worker"),
        ("--editable=../lib", "cannot be installed on a worker"),
        ("./lib[extra]", "cannot be installed on a worker"),
        (".", "cannot be installed on a worker"),
        ("/opt/lib.whl", "cannot be installed on a worker"),
        ("lib @ file:///opt/lib.whl", "cannot be installed on a worker"),
        ("-c constraints.txt", "write the versions into the requirements"),
        ("-r gone.txt", "there is no such file"),
        ("-r all.txt", "includes itself"),
    ],
)
def test_what_no_worker_could_follow_is_refused_by_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "all.txt"
    path.write_text(f"a==1\n\n{line}\n")
    with pytest.raises(UsageError) as caught:
        read_requirements(str(path))
    assert said in str(caught.value)
    assert "includes itself" in said or f"all.txt: line 3: {line}" in str(caught.value)
