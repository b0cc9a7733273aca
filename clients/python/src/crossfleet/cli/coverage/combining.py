"""Joins the coverage data of all sessions with the suite's own interpreter, which has coverage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from crossfleet.cli.coverage.sessions import MeasuredSessions
from crossfleet.client.listing import git_root

_SCRIPT = Path(__file__).with_name("report.py")
_LACKING = 9
_SECONDS = 600


def combine(measured: MeasuredSessions, python: str, stream: TextIO, *, failed: bool) -> bool:
    """Write the data file and the reports that pytest-cov was asked for; False: less is covered than was required.

    `stream`, which has a descriptor, gets what pytest-cov prints. `failed`: the run has failed, so that `--no-cov-on-fail` holds. Where `python` has no pytest-cov, says how to get at
    the data; that is False too where a least coverage was required.
    """
    here = Path.cwd()
    wanted = measured.sessions[0].wanted
    order = {
        **wanted,
        "data": [str(session.data) for session in measured.sessions],
        "roots": [
            str(git_root(here) or here),
            *sorted({_root(session.wanted["folder"]) for session in measured.sessions}),
        ],
        "descriptions": sorted({session.wanted["description"] for session in measured.sessions}),
        "reports": {} if failed and wanted["not_on_failure"] else wanted["reports"],
        "fail_under": None if failed and wanted["not_on_failure"] else wanted["fail_under"],
    }
    stream.flush()
    try:
        done = subprocess.run(
            [python or sys.executable, str(_SCRIPT)],
            input=json.dumps(order),
            text=True,
            timeout=_SECONDS,
            check=False,
            stdout=stream,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"crossfleet run: coverage was not combined: {error}", file=sys.stderr)
        return not wanted["fail_under"]
    if done.returncode == _LACKING:
        hint = "crossfleet artifacts get has the data of each session; --python names an interpreter with pytest-cov"
        print(
            f"crossfleet run: {python or sys.executable} has no pytest-cov to combine coverage: {hint}", file=sys.stderr
        )
        return not wanted["fail_under"]
    return done.returncode == 0


def _root(folder: str) -> str:
    """The root of the workspace in which a session ran, from the folder in it that corresponds to this one."""
    here = Path.cwd()
    below = here.relative_to(git_root(here) or here).parts
    there = Path(folder)
    return str(there.parents[len(below) - 1] if below and there.parts[-len(below) :] == below else there)
