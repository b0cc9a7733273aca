"""A supervisor over small services: `python supervised.py DATA KEEP JSON`, JSON being [[name, code, vital], ...].

It listens to one command on standard input, tells it events on standard output, and exits as the supervisor does.
"""

from __future__ import annotations

import json
import sys

from crossfleet.cli.fleet import process, supervisor
from crossfleet.cli.fleet.listeners import Listener
from crossfleet.cli.fleet.plan import FleetPlan, ServicePlan
from crossfleet.cli.fleet.supervisor import Supervisor

PREAMBLE = """
import json, os, signal, sys, time
lifeline = int(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
def ready(): print(json.dumps({"ready": True, "service": "s", "address": "unix:/nowhere", "pid": os.getpid()}), flush=True)
def serve():
    ready()
    os.read(lifeline, 1)
"""


def main() -> int:
    """Runs the supervisor, which has less patience than that of a fleet."""
    process.FIRST_PAUSE_SECONDS, supervisor.STOP_SECONDS = 0.05, 1.0
    data, keep, services = sys.argv[1], sys.argv[2] == "keep", json.loads(sys.argv[3])

    def planned(plan: FleetPlan, runtime: str, lifeline: int) -> list[ServicePlan]:
        return [
            ServicePlan(name, (sys.executable, "-S", "-E", "-c", PREAMBLE + code, str(lifeline), data), vital)
            for name, code, vital in services
        ]

    kept = Supervisor(FleetPlan(data, ()), keep=keep, services=planned)
    kept.start()
    return kept.run(None if keep else Listener(0, 1))


if __name__ == "__main__":
    sys.exit(main())
