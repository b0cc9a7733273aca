"""The supervisor as a process of its own: `python -m crossfleet.cli.fleet.supervise DATA INCOMING OUTGOING`.

The plan comes on standard input as JSON. It lives as long as one command holds a connection to it.
"""

from __future__ import annotations

import json
import os
import sys

from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.fleet.listeners import Listener
from crossfleet.cli.fleet.plan import FleetPlan, WorkerPlan
from crossfleet.cli.fleet.supervisor import Supervisor


def plan_from_json(text: str) -> FleetPlan:
    """The plan that `json.dumps(dataclasses.asdict(plan))` wrote."""
    said = json.loads(text)
    workers = tuple(
        WorkerPlan(**{**worker, "labels": tuple((key, value) for key, value in worker["labels"])})
        for worker in said.pop("workers")
    )
    return FleetPlan(workers=workers, **said)


def main() -> int:
    """Takes the data folder's lock, runs the fleet, and answers the exit status."""
    said = sys.stdin.read()
    if not said:  # whoever wanted a fleet was interrupted before it said which
        return 0
    plan = plan_from_json(said)
    first = Listener(int(sys.argv[1]), int(sys.argv[2]))
    try:
        folders.make_private(plan.data, fleetfile.LOCK)
        lock = fleetfile.take_lock(plan.data)
        if lock is None:
            first.tell({"event": "in_use"})
            return 3
        supervisor = Supervisor(plan, keep=False)
        supervisor.start()
        _leave_terminal(os.path.join(plan.data, "logs", "supervisor.log"))
    except OSError as error:
        message = f"the data folder {plan.data} cannot be used: {error.strerror or error}"
        first.tell({"event": "gave_up", "service": "supervisor", "message": message, "wrong_settings": True})
        return 2
    return supervisor.run(first)


def _leave_terminal(log: str) -> None:
    """Other commands may keep this process alive: it must not hold the first one's standard error open."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 2)
    os.close(handle)


if __name__ == "__main__":
    os.chdir("/")
    sys.exit(main())
