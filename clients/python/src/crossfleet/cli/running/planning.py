"""What a command line asks to run, before any fleet is asked: the kind of suite, its targets, and their interpreter."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from crossfleet.cli.exits import UsageError
from crossfleet.cli.pytest_options.project import inherited_variable
from crossfleet.cli.running.command import Command, recognise
from crossfleet.cli.running.interpreter import check_has_pytest
from crossfleet.cli.running.kinds import check_known
from crossfleet.cli.running.matrix import TargetPlan, plan_targets
from crossfleet.cli.running.options import RunOptions


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What runs on which targets; `python` is the interpreter of targets that name none, empty where none is needed."""

    command: Command
    targets: tuple[TargetPlan, ...]
    python: str


def plan_run(options: RunOptions) -> RunPlan:
    """What `options` ask for. Raises UsageError for what cannot be."""
    address = os.environ.get("CROSSFLEET_ADDRESS", "")
    if options.runner and not address:
        check_known(options.runner)  # another fleet knows its own
    on_this_machine = all(word.strip().startswith("unix:") for word in address.split(",") if word)
    command = recognise(
        options.command,
        inherited_variable(options.env, whole_environment=on_this_machine),
        runner=options.runner,
        leaves_junit=bool(options.collect_junit),
    )
    _check_terminal(command)
    _check_shard(command, options)
    targets = plan_targets(options)
    return RunPlan(command, targets, _default_python(command, targets) if on_this_machine else "")


def _check_terminal(command: Command) -> None:
    """Raises UsageError for -s where a person sits and waits for the output."""
    if command.pytest and command.pytest.output_wanted and sys.stdin.isatty() and sys.stdout.isatty():
        raise UsageError(
            "-s: output of a fleet's tests goes to `crossfleet logs`; to see it here, and to type into tests, run pytest "
            "in this terminal: crossfleet run --local -- pytest -s ..."
        )


def _check_shard(command: Command, options: RunOptions) -> None:
    """Raises UsageError for a part of what each machine's own cache selects: the machines would cut other suites."""
    selecting = [name for name in (command.pytest.cache if command.pytest else ()) if name in ("--lf", "--sw")]
    if options.shard and selecting:
        raise UsageError(
            f"{selecting[0]}: selects by this machine's cache, and all shards must be cut from the same cases: "
            "leave it out, or leave --shard out"
        )


def _default_python(command: Command, targets: tuple[TargetPlan, ...]) -> str:
    """The interpreter of targets that name none. Raises UsageError where an interpreter lacks pytest."""
    if not command.in_python:
        return ""
    checks = command.runner == "pytest"
    for named in {target.python for target in targets if target.python and checks}:
        check_has_pytest(named)
    if all(target.python or target.requirements for target in targets):
        return ""
    found = command.default_python()
    if checks:
        check_has_pytest(found)
    return found
