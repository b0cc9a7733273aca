"""A candidate of an election without a coordinator: says on stdout when it has won, and resigns at SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

from crossfleet.coordinator.election.etcd import open_election
from crossfleet.coordinator.election.port import Leader
from crossfleet.foundation import logs
from crossfleet.foundation.etcd.settings import EtcdSettings


def _say(event: str) -> None:
    sys.stdout.write(json.dumps({"event": event, "at": time.time()}) + "\n")
    sys.stdout.flush()


async def _stand(endpoints: str, election: str, lease: float, name: str) -> None:
    told_to_go = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_go.set)
    standing = await open_election(EtcdSettings(endpoints=endpoints), election, lease)
    campaign = asyncio.ensure_future(standing.campaign(Leader(name, f"{name}:1")))
    _say("stands")
    term = await campaign
    _say("won")
    await told_to_go.wait()
    await term.resign()
    await standing.close()


if __name__ == "__main__":
    logs.configure("candidate", level="warning")
    asyncio.run(_stand(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
