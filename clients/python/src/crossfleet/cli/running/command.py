"""What the words after `--` are: pytest as a script, pytest as a module, or any command."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.pytest_options.project import project_words
from crossfleet.cli.running.interpreter import is_python, python_of, python_of_script
from crossfleet.cli.running.pytest_arguments import PytestArguments, take_over
from crossfleet.cli.running.reruns import Reruns, take_from_pytest

_SCRIPTS = ("pytest", "py.test")


@dataclass(frozen=True, slots=True)
class Command:
    """A runner and its arguments. `program` is what names the interpreter: its path, or the script's."""

    runner: str
    arguments: tuple[str, ...]
    as_module: bool = False
    program: str = ""
    pytest: PytestArguments | None = None
    reruns: Reruns = field(default_factory=Reruns)

    def default_python(self) -> str:
        """The interpreter that would run it here; empty for a command that is not pytest. Raises UsageError."""
        if self.runner != "pytest":
            return ""
        return python_of(self.program) if self.as_module else python_of_script(self.program)


def recognise(words: Sequence[str], addopts: str = "") -> Command:
    """Finds pytest in `pytest ...`, `/path/pytest ...` and `python -m pytest ...`; anything else is a command.

    `addopts` is the PYTEST_ADDOPTS that the suite will see.
    """
    first = words[0]
    if is_script(first):
        return _pytest(first, words[1:], addopts, as_module=False)
    if is_python(first) and list(words[1:3]) == ["-m", "pytest"]:
        return _pytest(first, words[3:], addopts, as_module=True)
    if is_python(first) and ("-m", "pytest") in pairwise(words):
        raise UsageError(
            f"options between {first} and -m pytest are not handed on: set them by environment variables, "
            "such as PYTHONWARNINGS or PYTHONDEVMODE"
        )
    return Command("command", tuple(words))


def is_script(word: str) -> bool:
    """Whether a command's first word names pytest's own script."""
    return os.path.basename(word) in _SCRIPTS


def _pytest(program: str, words: Sequence[str], addopts: str, *, as_module: bool) -> Command:
    words, reruns = take_from_pytest(words)
    sorted_out = take_over(words, project_words(words, Path.cwd(), addopts))
    return Command("pytest", sorted_out.arguments, as_module, program, sorted_out, reruns)
