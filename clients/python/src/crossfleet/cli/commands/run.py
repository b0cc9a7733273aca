"""`crossfleet run`: starts the fleet first, and loads what talks to it while its services start."""

from __future__ import annotations

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.fleet.elsewhere import address_elsewhere
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.fleet_size import plan_for
from crossfleet.cli.running.interpreter import which
from crossfleet.cli.running.kinds import OF_PROGRAMS
from crossfleet.cli.running.planning import plan_run

parser = command_line.parser


def main(arguments: list[str]) -> int:
    """Runs the words after `--` on a fleet; answers the exit status."""
    options = command_line.parse(arguments)
    if options.local:
        from crossfleet.cli.running.local import run_here

        return run_here(options)
    address = address_elsewhere(options.data)
    plan = plan_run(options)
    command = plan.command
    data = folders.data_folder(options.data)
    if not address and fleetfile.read(data) is None and not any(word.startswith("PATH=") for word in options.env):
        _check_is_there(command)  # a fleet that is up may have it on another machine
    if address:
        from crossfleet.cli.running.perform import perform

        return perform(options, plan)
    fleet = HeldFleet(plan_for(options, command))
    try:
        # Imported while the services start: this takes longer than all that came before.
        from crossfleet.cli.running.perform import perform

        return perform(options, plan, fleet)
    finally:
        fleet.close()


def _check_is_there(command: Command) -> None:
    """Raises UsageError for a command that no shell would find here."""
    if command.runner in OF_PROGRAMS and not which(command.arguments[0]):
        from difflib import get_close_matches

        usual = {"pytest", "python", "python3", "make", "tox", "nox"} - {command.arguments[0]}
        near = get_close_matches(command.arguments[0], sorted(filter(which, usual)), 1)
        hint = f". Did you mean {near[0]}?" if near else ": give its path, or check PATH"
        raise UsageError(f"there is no command {command.arguments[0]} here{hint}")
