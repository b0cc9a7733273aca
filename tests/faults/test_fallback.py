"""What becomes of runs whose scheduler dies, freezes, or loses its mind: the fallback places them within a second."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1.event_service_pb2 import WatchEventsRequest
from crossfleet.api.types.v1 import run_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.coordinator.scheduling.neglect import LEAST_SECONDS
from crossfleet.foundation.wait import eventually
from tests.faults.wild import SLOW_SECONDS
from tests.integration.processes import Fleet, Service, start_service
from tests.integration.test_runs import noop

LIMIT = 1.0
"""Of a machine that does nothing else; twenty times what a placement takes otherwise are added on a busy one."""
CLOSED, OPEN = admin_pb2.BREAKER_STATE_CLOSED, admin_pb2.BREAKER_STATE_OPEN


@dataclass
class Under:
    """A fleet whose runs are decided by a wild scheduler, with ours to stand in."""

    fleet: Fleet
    client: Client
    wild: Service
    numbers: count[int] = field(default_factory=count)

    def be(self, mood: str) -> None:
        """From the next plan on."""
        place = self.fleet.folder / "mood"
        (place.with_suffix(".new")).write_text(mood)
        place.with_suffix(".new").rename(place)

    async def standing(self) -> admin_pb2.SchedulerStanding:
        """How the wild one stands."""
        return next(one for one in await self.client.admin.schedulers() if one.name == "wild")

    async def decides(self) -> None:
        """Wait until it is let decide, and decides."""

        async def closed() -> bool:
            return (await self.standing()).breaker == CLOSED

        await eventually(closed, deadline=40, what="it is let decide again")
        before = (await self.standing()).accepted
        await self.placed()
        assert (await self.standing()).accepted == before + 1

    async def placed(self) -> float:
        """Submit a run; the seconds until slots are opened for it. It passes."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        submitted = await self.fleet.submit(noop(1), f"r{next(self.numbers)}")
        request = WatchEventsRequest(after=submitted.event_cursor, run_id=submitted.run.run_id, until_finished=True)
        seconds = -1.0
        async with asyncio.timeout(20):
            async for response in self.fleet.events.WatchEvents(request):
                for event in response.events:
                    if event.HasField("allocation_opened") and seconds < 0:
                        seconds = loop.time() - began
                    if event.HasField("run_finished"):
                        assert event.run_finished.run.verdict == run_pb2.RUN_VERDICT_PASSED
        return seconds


async def start_wild(folder: Path) -> Service:
    return await start_service(
        "tests.faults.wild",
        *("--listen", f"unix:{folder}/x", str(folder / "mood")),
        log=folder / "wild.log",
        name_of="wild",
    )


@pytest_asyncio.fixture
async def under(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Under]:
    """With the options of the test's parameter."""
    options = getattr(request, "param", "")
    async with Fleet(folder, flags=("--schedulers", f"wild=unix:{folder}/x {options}")) as fleet:
        wild, _ = await asyncio.gather(start_wild(folder), fleet.start("w1", 8))
        fleet.services["wild"] = wild
        async with Client.open(Endpoint(f"unix:{folder}/c")) as client:
            made = Under(fleet, client, wild)
            await made.decides()
            yield made


@pytest_asyncio.fixture
async def limit(under: Under) -> float:
    """How long a placement may take under the fallback, in seconds."""
    return LIMIT + 20 * max([await under.placed() for _ in range(3)])


Act = Callable[[Under], Awaitable[None]]


async def kill(under: Under) -> None:
    await under.wild.end(signal.SIGKILL)


async def start_again(under: Under) -> None:
    under.fleet.services["wild"] = under.wild = await start_wild(under.fleet.folder)


async def freeze(under: Under) -> None:
    under.wild.process.send_signal(signal.SIGSTOP)


async def thaw(under: Under) -> None:
    under.wild.process.send_signal(signal.SIGCONT)


def in_mood(mood: str) -> Act:
    async def act(under: Under) -> None:
        under.be(mood)

    return act


behaves = in_mood("")


@pytest.mark.parametrize(
    ("goes_wrong", "is_mended", "told"),
    [
        pytest.param(kill, start_again, "", id="killed"),
        pytest.param(freeze, thaw, "has not answered an update for 0.5 s", id="frozen"),
        pytest.param(in_mood("garbled"), behaves, "what it sent is no plan", id="garbage"),
        pytest.param(in_mood("confused"), behaves, "rests on revision", id="unknown-revisions"),
        pytest.param(in_mood("haunted"), behaves, "WORKER_NOT_FOUND", id="dead-workers"),
        pytest.param(in_mood("greedy"), behaves, "RESOURCES_UNAVAILABLE", id="oversubscribing"),
    ],
)
async def test_runs_go_on_under_the_fallback_within_a_second_and_its_return_is_automatic(
    under: Under, limit: float, goes_wrong: Act, is_mended: Act, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await goes_wrong(under)
    lost = loop.time() - began
    first = lost + await under.placed()
    later = [await under.placed() for _ in range(4)]
    out = await under.standing()
    await is_mended(under)
    mended = loop.time()
    await under.decides()
    with capsys.disabled():
        print(f"  fault to placement {first * 1000:.0f} ms, then at most {max(later) * 1000:.0f} ms, ", end="")
        print(f"back after {loop.time() - mended:.1f} s", end=" ")

    assert first < limit
    assert max(later) < limit
    assert out.breaker == OPEN
    assert told in out.cause


async def test_what_a_scheduler_neither_places_nor_gives_a_reason_for_goes_to_the_fallback(
    under: Under, limit: float
) -> None:
    under.be("absent")
    seconds = await under.placed()
    out = await under.standing()
    under.be("")
    await under.decides()

    assert LEAST_SECONDS <= seconds < LEAST_SECONDS + limit
    assert out.breaker == OPEN
    assert "nor said why" in out.cause


@pytest.mark.parametrize("under", ["deadline=3"], indirect=True)
async def test_a_slow_scheduler_decides_on_within_its_deadline(under: Under, limit: float) -> None:
    before = (await under.standing()).accepted
    under.be("slow")
    seconds = [await under.placed() for _ in range(2)]
    stands = await under.standing()

    # News may come in just after it has begun to plan.
    assert SLOW_SECONDS <= max(seconds) < 2 * SLOW_SECONDS + limit
    assert stands.accepted == before + 2
    assert (stands.breaker, stands.openings) == (CLOSED, 0)


@pytest.mark.parametrize("under", ["deadline=0.3"], indirect=True)
async def test_a_scheduler_that_takes_longer_than_its_deadline_is_out(under: Under, limit: float) -> None:
    before = (await under.standing()).accepted
    under.be("slow")
    seconds = await under.placed()
    out = await under.standing()
    under.be("")
    await under.decides()

    assert seconds < limit
    assert (out.breaker, out.accepted) == (OPEN, before)
