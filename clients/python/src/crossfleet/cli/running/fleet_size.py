"""How large the fleet is that a run starts on this machine."""

from __future__ import annotations

from crossfleet.cli.fleet import folders
from crossfleet.cli.fleet.options import embedded_plan
from crossfleet.cli.fleet.plan import FleetPlan
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.options import RunOptions


def plan_for(options: RunOptions, command: Command) -> FleetPlan:
    """As the options say, else pytest's own -n, else the machine's cores. Raises UsageError."""
    slots = options.slots or _slots_of_pytest(options, command)
    return embedded_plan(folders.data_folder(options.data), options.workers, options.worker, slots)


def _slots_of_pytest(options: RunOptions, command: Command) -> int:
    if options.workers or options.worker or command.pytest is None:
        return 0
    return command.pytest.slots or 0
