"""The version before this one, as processes that tests start: its sources come from the history of this repository.

`COMMIT` stands for the last release; it is moved when one is made.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

COMMIT = "caa56c1300e1b6b15096d67cba4db4106b0c4646"
ROOT = Path(__file__).parents[2]
_SOURCES = (
    "protos/gen",
    "services/foundation/src",
    "services/matching/src",
    "services/coordinator/src",
    "services/scheduler/src",
    "services/worker/src",
    "services/integrations/src",
    "clients/python/src",
)


def folder() -> Path:
    """Its sources with their generated code, made once. Skips the test where the history is too short."""
    place = ROOT / ".tools" / "earlier" / COMMIT[:12]
    if place.exists():
        return place
    command = ["git", "archive", COMMIT, "protos", "services", "clients"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"needs commit {COMMIT[:12]} in the history: git fetch --unshallow")
    beside = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as opened:
        opened.extractall(beside, filter="data")
    subprocess.run([sys.executable, beside / "protos" / "hatch_build.py"], check=True, capture_output=True)
    try:
        beside.rename(place)
    except OSError:  # another test process was faster
        shutil.rmtree(beside)
    return place


def environment() -> dict[str, str]:
    """What makes a Python import it in place of what is installed here."""
    return {"PYTHONPATH": os.pathsep.join(str(folder() / source) for source in _SOURCES)}
