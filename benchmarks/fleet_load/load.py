"""The client of the long run, in a process of its own as every command line is: it submits the run and follows its events.

    python -m benchmarks.fleet_load.load ADDRESS NAME TASKS SLOTS

Prints how many seconds it took from the submission until its end was known here. Exits 1 where it did not pass.
"""

from __future__ import annotations

import asyncio
import sys
import time

from benchmarks.fleet_load.suites import noop
from crossfleet.client import Client, Endpoint


async def main(address: str, name: str, tasks: int, slots: int) -> int:
    """Answers the exit status."""
    async with Client.open(Endpoint(address)) as client:
        begun = time.monotonic()
        answer = await client.runs.submit(noop(name, tasks, slots))
        run = None
        async for event in client.events.watch(
            after=answer.event_cursor, run_id=answer.run.run_id, until_finished=True
        ):
            if event.HasField("run_finished"):
                run = event.run_finished.run
        print(time.monotonic() - begun, flush=True)
    return 0 if run is not None and run.counts.passed == tasks else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
