"""`crossfleet run`: starts the fleet first, and loads what talks to it while its services start."""

from __future__ import annotations

import os
import sys

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.fleet.options import embedded_plan
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.pytest_options.project import inherited_variable
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.command import Command, recognise
from crossfleet.cli.running.interpreter import check_has_pytest, which
from crossfleet.cli.running.kinds import OF_PROGRAMS, check_known
from crossfleet.cli.running.matrix import TargetPlan, plan_targets

parser = command_line.parser


def main(arguments: list[str]) -> int:
    """Runs the words after `--` on a fleet; answers the exit status."""
    options = command_line.parse(arguments)
    if options.local:
        from crossfleet.cli.running.local import run_here

        return run_here(options)
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
    python = _default_python(command, targets) if on_this_machine else ""
    data = folders.data_folder(options.data)
    if not address and fleetfile.read(data) is None and not any(word.startswith("PATH=") for word in options.env):
        _check_is_there(command)  # a fleet that is up may have it on another machine
    if address:
        from crossfleet.cli.running.perform import perform

        return perform(options, command, targets, python)
    slots = options.slots or _slots_of_pytest(command, options)
    fleet = HeldFleet(embedded_plan(data, options.workers, options.worker, slots))
    try:
        # Imported while the services start: this takes longer than all that came before.
        from crossfleet.cli.running.perform import perform

        return perform(options, command, targets, python, fleet)
    finally:
        fleet.close()


def _check_terminal(command: Command) -> None:
    """Raises UsageError for -s where a person sits and waits for the output."""
    if command.pytest and command.pytest.output_wanted and sys.stdin.isatty() and sys.stdout.isatty():
        raise UsageError(
            "-s: output of a fleet's tests goes to `crossfleet logs`; to see it here, and to type into tests, run pytest "
            "in this terminal: crossfleet run --local -- pytest -s ..."
        )


def _check_shard(command: Command, options: command_line.RunOptions) -> None:
    """Raises UsageError for a part of what each machine's own cache selects: the machines would cut other suites."""
    selecting = [name for name in (command.pytest.cache if command.pytest else ()) if name in ("--lf", "--sw")]
    if options.shard and selecting:
        raise UsageError(
            f"{selecting[0]}: selects by this machine's cache, and all shards must be cut from the same cases: "
            "leave it out, or leave --shard out"
        )


def _slots_of_pytest(command: Command, options: command_line.RunOptions) -> int:
    """Slots of an embedded fleet whose size is said by pytest's -n alone."""
    if options.workers or options.worker or command.pytest is None:
        return 0
    return command.pytest.slots or 0


def _check_is_there(command: Command) -> None:
    """Raises UsageError for a command that no shell would find here."""
    if command.runner in OF_PROGRAMS and not which(command.arguments[0]):
        from difflib import get_close_matches

        near = get_close_matches(command.arguments[0], ("pytest", "python", "python3", "make", "tox", "nox"), 1)
        hint = f". Did you mean {near[0]}?" if near else ": give its path, or check PATH"
        raise UsageError(f"there is no command {command.arguments[0]} here{hint}")


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
