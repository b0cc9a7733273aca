"""What the words after `--` are: pytest, unittest, a program of a kind that is known, or any command."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.pytest_options.project import project_words
from crossfleet.cli.running.interpreter import is_python, python_of, python_of_script
from crossfleet.cli.running.kinds import kind_of
from crossfleet.cli.running.pytest_arguments import PytestArguments, take_over
from crossfleet.cli.running.reruns import Reruns, take_from_pytest

_SCRIPTS = ("pytest", "py.test")
_IN_PYTHON = ("pytest", "unittest")


@dataclass(frozen=True, slots=True)
class Command:
    """A runner and its arguments. `program` is what names the interpreter: its path, or the script's."""

    runner: str
    arguments: tuple[str, ...]
    as_module: bool = False
    program: str = ""
    pytest: PytestArguments | None = None
    reruns: Reruns = field(default_factory=Reruns)

    @property
    def in_python(self) -> bool:
        """Whether an interpreter of the target executes it."""
        return self.runner in _IN_PYTHON

    def default_python(self) -> str:
        """The interpreter that would run it here; empty where none is needed. Raises UsageError."""
        if not self.in_python:
            return ""
        return python_of(self.program) if self.as_module else python_of_script(self.program)


def recognise(words: Sequence[str], addopts: str = "", *, runner: str = "", leaves_junit: bool = False) -> Command:
    """Finds pytest, `python -m unittest`, `go test` and the like; anything else is a command.

    `addopts` is the PYTEST_ADDOPTS that the suite will see. `runner` forces a kind; a program that leaves JUnit files
    to be read is a command unless that says otherwise. Raises UsageError where the words cannot be of that kind.
    """
    if runner and runner not in _IN_PYTHON:
        return Command(runner, tuple(words))
    found = _in_python(words, addopts)
    if runner and (found is None or found.runner != runner):
        raise UsageError(f"--runner {runner}: the words after `--` do not start {runner}: write python -m {runner} ...")
    return found or Command("command" if leaves_junit else kind_of(words), tuple(words))


def _in_python(words: Sequence[str], addopts: str) -> Command | None:
    first = words[0]
    if is_script(first):
        return _pytest(first, words[1:], addopts, as_module=False)
    if not is_python(first):
        return None
    if list(words[1:3]) == ["-m", "pytest"]:
        return _pytest(first, words[3:], addopts, as_module=True)
    if list(words[1:3]) == ["-m", "unittest"]:
        return Command("unittest", tuple(words[3:]), as_module=True, program=first)
    module = next((module for option, module in pairwise(words) if option == "-m"), "")
    if module in _IN_PYTHON and words[1].startswith("-"):
        raise UsageError(
            f"options between {first} and -m {module} are not handed on: set them by environment variables, "
            "such as PYTHONWARNINGS or PYTHONDEVMODE"
        )
    return None


def is_script(word: str) -> bool:
    """Whether a command's first word names pytest's own script."""
    return os.path.basename(word) in _SCRIPTS


def _pytest(program: str, words: Sequence[str], addopts: str, *, as_module: bool) -> Command:
    words, reruns = take_from_pytest(words)
    sorted_out = take_over(words, project_words(words, Path.cwd(), addopts))
    return Command("pytest", sorted_out.arguments, as_module, program, sorted_out, reruns)
