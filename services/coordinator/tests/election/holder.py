"""A candidate as a process of its own, which says on stdout, as lines of JSON, what it believes and when.

Times are of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from crossfleet.coordinator.election.etcd import open_election
from crossfleet.coordinator.election.port import Leader
from crossfleet.foundation.etcd.settings import EtcdSettings

_BETWEEN = 0.005


def say(event: str, **keys: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "at": time.monotonic(), **keys}) + "\n")
    sys.stdout.flush()


async def stand(endpoints: str, election: str, lease: float, name: str) -> None:
    standing = await open_election(EtcdSettings(endpoints=endpoints), election, lease)
    while True:
        term = await standing.campaign(Leader(name, f"{name}:1"))
        say("won", revision=term.revision)
        lost = asyncio.ensure_future(term.wait_lost())
        while not lost.done():
            at = time.monotonic()
            say("leads", since=at, until=at + term.remaining(), may=term.remaining() > 0)
            await asyncio.sleep(_BETWEEN)
        say("lost", why=lost.result())


if __name__ == "__main__":
    asyncio.run(stand(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
