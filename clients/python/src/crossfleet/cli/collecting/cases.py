"""The cases that pytest collects here and now."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from crossfleet.cli.collecting import inside
from crossfleet.cli.exits import UsageError
from crossfleet.cli.quiet import callers_environment
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.interpreter import check_has_pytest

_SCRIPT = Path(inside.__file__).with_name("collect.py")
_SECONDS = 900.0
_LAST_LINES = 15


def collected(command: Command, python: str) -> list[str]:
    """Ids of the cases, in the order of the collection; collected by `python`, or by the command's own where that is empty.

    Raises UsageError where the command is not pytest, or its collection fails.
    """
    if command.runner != "pytest":
        raise UsageError(
            f"--collect: collects what pytest runs, and this is a suite of kind {command.runner}: leave it out"
        )
    interpreter = python or command.default_python()
    check_has_pytest(interpreter)
    with tempfile.TemporaryDirectory(prefix="crossfleet-collect-") as name:
        plan, found = Path(name, "plan.json"), Path(name, "found.json")
        plan.write_text(json.dumps({"arguments": command.arguments, "as_module": command.as_module}), encoding="utf-8")
        try:
            done = subprocess.run(
                [interpreter, str(_SCRIPT), str(plan), str(found)],
                env=callers_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UsageError(f"--collect: the collection has not ended within {_SECONDS:.0f} s") from None
        if done.returncode or not found.exists():
            said = "\n".join(done.stdout.decode("utf-8", "replace").splitlines()[-_LAST_LINES:])
            raise UsageError(f"--collect: pytest ended with status {done.returncode}:\n{said}")
        ids: list[str] = json.loads(found.read_text(encoding="ascii"))
    return ids
