"""`crossfleet run --local`: plain pytest in this terminal, in the place of this process."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import NoReturn

from crossfleet.cli.exits import UsageError
from crossfleet.cli.quiet import callers_environment
from crossfleet.cli.running.command import is_script
from crossfleet.cli.running.interpreter import check_has_pytest, is_python, python_of, which
from crossfleet.cli.running.options import RunOptions, parse
from crossfleet.cli.running.spec import variables_of

_HEEDED = frozenset(("command", "local", "python", "env"))


def run_here(options: RunOptions) -> NoReturn:
    """Becomes pytest, whose exit status is then this command's. Raises UsageError where it cannot."""
    _check(options)
    words = words_here(options)
    environment = {**callers_environment(), **variables_of(options.env, whole_environment=False)}
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        os.execve(words[0], words, environment)  # noqa: S606 - it becomes what the person typed
    except OSError as error:
        raise UsageError(f"{words[0]} cannot be started: {error.strerror}") from None


def words_here(options: RunOptions) -> list[str]:
    """The command line of pytest: as it was typed, with the interpreter of --python where that is given."""
    first, *rest = options.command
    script = is_script(first)
    if not script and not (is_python(first) and rest[:2] == ["-m", "pytest"]):
        raise UsageError(
            "--local runs pytest: write `crossfleet run --local -- pytest ...`; run other commands as they are"
        )
    if not options.python:
        found = which(first) if script else python_of(first)
        if not found:
            raise UsageError(f"there is no {first} here: activate the environment of the suite, or give --python PATH")
        return [found, *rest]
    python = python_of(os.path.expanduser(options.python))
    check_has_pytest(python)
    if not script:
        return [python, *rest]
    own = os.path.join(os.path.dirname(python), "pytest")
    if not shutil.which(own):
        raise UsageError(f"there is no pytest beside {python}: write `-- python -m pytest ...`")
    return [own, *rest]


def _check(options: RunOptions) -> None:
    """Raises UsageError for an option that only a fleet can heed."""
    usual = parse(["--local", "--", "pytest"])
    given = [field.name for field in fields(options) if getattr(options, field.name) != getattr(usual, field.name)]
    if unheeded := [name for name in given if name not in _HEEDED]:
        raise UsageError(
            f"--local runs plain pytest without a fleet: {_shown(unheeded)} cannot be heeded; leave it out, or say it to pytest"
        )


def _shown(names: Sequence[str]) -> str:
    words = {"max_failures": "--maxfail or --keep-going"}
    return ", ".join(words.get(name, f"--{name.replace('_', '-')}") for name in names)
