"""Coverage data of shards, combined by the suite's own `coverage`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.interpreter import python_of, python_of_script
from crossfleet.client.listing import git_root

_SCRIPT = Path(__file__).with_name("combine_coverage.py")
_SECONDS = 600


def combine(files: Sequence[Path], out: Path, roots: Iterable[str], python: str) -> None:
    """Writes `out`; the files stay. `roots` are the folders of the checkout on the machines that measured.

    Raises UsageError where the interpreter has no coverage, or coverage refuses.
    """
    if not files:
        raise UsageError(
            "--coverage: the parts hold no coverage data: name the shards' .coverage files, or their folders"
        )
    out = out.resolve()
    if out in {file.resolve() for file in files}:
        raise UsageError(f"--coverage {out}: is one of the parts; name another file")
    order = {
        "out": str(out),
        "files": [str(file.resolve()) for file in files],
        "here": str(git_root(Path.cwd()) or Path.cwd()),
        "roots": sorted({root for root in roots if root}),
    }
    command = [python_of(python) if python else python_of_script("pytest"), str(_SCRIPT)]
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, input=json.dumps(order), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{command[0]} cannot combine coverage: {error}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
        raise UsageError(f"--coverage: {said[0]}")
