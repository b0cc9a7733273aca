"""A command's fleet on this machine, from start to end."""

from __future__ import annotations

import select
import time

from crossfleet.cli.fleet.link import FleetFault, FleetLink, join, start
from crossfleet.cli.fleet.plan import FleetPlan
from crossfleet.cli.fleet.told import told

START_SECONDS = 60.0
END_SECONDS = 6.0
_RETRY_SECONDS = 0.1


class HeldFleet:
    """The fleet of a data folder: joined where one lives, else started at once. It lives until `let_go`."""

    def __init__(self, plan: FleetPlan) -> None:
        self._plan = plan
        self.link: FleetLink = join(plan.data) or start(plan)

    @property
    def joined(self) -> bool:
        """Whether it was there before."""
        return self.link.joined

    def wait(self, seconds: float = START_SECONDS) -> str:
        """The address of its coordinator, once that serves.

        Where another process took the data folder meanwhile, its fleet is joined; where that one just ended, a new one
        is started. Raises FleetFault where the fleet gives up or does not come up in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.link.events], [], [], left)[0]:
                raise FleetFault(f"the fleet did not come up within {seconds:.0f} s: see {self._plan.data}/logs")
            for event in self.link.read():
                kind = event.get("event")
                if kind == "started":
                    self.link.address = str(event["address"])
                elif kind == "ready" and event.get("service") == "coordinator":
                    return self.link.address
                elif kind == "gave_up":
                    raise FleetFault(told(event), wrong_settings=bool(event.get("wrong_settings")))
                elif kind in ("stopping", "in_use"):
                    self._again(deadline)
                    break

    def let_go(self) -> None:
        """Ends it, unless another command uses it. Does not wait."""
        self.link.release()

    def close(self) -> None:
        """Lets it go and waits until it is gone, where this command started it."""
        self.link.release()
        if not self.joined:
            self.link.wait_for_end(END_SECONDS)

    def _again(self, deadline: float) -> None:
        self.link.release()
        while time.monotonic() < deadline:
            time.sleep(_RETRY_SECONDS)
            joined = join(self._plan.data)
            if joined is not None:
                self.link = joined
                return
            # Its owner may be starting or ending: a supervisor of our own finds out by the lock.
            self.link = start(self._plan)
            return
