"""Reports wait for their turn, one run after the other."""

import asyncio

from crossfleet.coordinator.sessions.turns import Turn, Turns


class Line:
    """Those who wait at one `Turns`, and the order in which they were called."""

    def __init__(self, room: int = 1) -> None:
        self.turns = Turns(room)
        self.called: list[str] = []
        self._over: dict[str, asyncio.Event] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, Turn] = {}

    async def join(self, name: str, *runs: str) -> None:
        """One more waits, for a report about these runs."""
        turn = self._turns[name] = Turn(self.turns)
        turn.concern(runs)
        self._over[name] = asyncio.Event()
        self.waiting[name] = asyncio.ensure_future(self._wait(name, turn))
        await settle()

    async def concern(self, name: str, run: str) -> None:
        """What waits concerns one run more."""
        self._turns[name].concern([run])
        await settle()

    async def end(self, name: str) -> None:
        """What was called is over."""
        self._over[name].set()
        await settle()

    async def end_all(self) -> None:
        """All that is called is over, one after the other."""
        for place in range(len(self.waiting)):
            await self.end(self.called[place])

    async def _wait(self, name: str, turn: Turn) -> None:
        async with turn:
            self.called.append(name)
            await self._over[name].wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_short_run_waits_behind_one_report_of_a_large_one_and_not_behind_all():
    line = Line()
    for number in range(5):
        await line.join(f"large-{number}", "large")
    await line.join("short", "short")
    await line.end_all()

    assert line.called == ["large-0", "large-1", "short", "large-2", "large-3", "large-4"]


async def test_there_is_room_for_so_many_at_once():
    line = Line(room=2)
    for number in range(4):
        await line.join(f"{number}", "run")
    assert line.called == ["0", "1"]

    await line.end("1")
    assert line.called == ["0", "1", "2"]


async def test_a_report_that_others_join_comes_when_the_first_of_its_runs_is_called_and_once():
    line = Line()
    for number in range(4):
        await line.join(f"large-{number}", "large")
    await line.concern("large-3", "short")
    await line.end_all()

    assert line.called == ["large-0", "large-1", "large-3", "large-2"]


async def test_a_run_keeps_its_turn_where_the_first_of_its_line_was_called_by_another_run():
    line = Line()
    await line.join("before", "first")
    await line.join("both", "first", "second")
    await line.join("alone", "second")
    await line.join("last", "third")
    await line.end_all()

    assert line.called == ["before", "both", "alone", "last"]


async def test_whoever_gives_up_keeps_nobody_waiting():
    line = Line()
    for name in "abcd":
        await line.join(name, "run")
    line.waiting["b"].cancel()
    await settle()
    await line.end("a")
    assert line.called == ["a", "c"]

    # One that is called and gives up at the same moment passes its turn on.
    line._over["c"].set()
    await asyncio.sleep(0)
    line.waiting["d"].cancel()
    await settle()
    await line.join("e", "run")
    assert line.called == ["a", "c", "e"]


async def test_room_that_nobody_waits_for_stays():
    line = Line(room=2)
    await line.join("a", "run")
    await line.end("a")
    await line.join("b", "run")
    await line.join("c", "other")

    assert line.called == ["a", "b", "c"]
