"""pytest-xdist's own schedulers, with nodes that exist in virtual time: each does what xdist's `remote.py` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, LoadScheduling, LoadScopeScheduling, WorkStealingScheduling

from benchmarks.makespan.outcome import Outcome
from benchmarks.makespan.recording import Process, Recording
from benchmarks.makespan.timeline import Timeline

MODES: dict[str, Any] = {
    "load": LoadScheduling,
    "loadscope": LoadScopeScheduling,
    "loadfile": LoadFileScheduling,
    "worksteal": WorkStealingScheduling,
}


class Config:
    """As much of pytest's as schedulers ask for, with xdist's defaults."""

    option = SimpleNamespace(loadscopereorder=True)

    def __init__(self, nodes: int) -> None:
        self._tx = ["popen"] * nodes

    def getvalue(self, name: str) -> list[str]:
        return self._tx

    def getoption(self, name: str) -> None:
        return None


class Node:
    """A worker: executes a case once it knows the next one, gives stolen ones back if it has begun none of them."""

    def __init__(self, side: Side, number: int, speed: float) -> None:
        self._side, self._speed = side, speed
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.shutting_down = False
        self.process = Process(side.recording)
        self._queue: deque[int | None] = deque()
        self._next: int | None = -1
        self._busy = False

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self._side.timeline.after(self._side.delay, self._take, list(indices))

    def send_steal(self, indices: Sequence[int]) -> None:
        self._side.timeline.after(self._side.delay, self._steal, list(indices))

    def shutdown(self) -> None:
        if not self.shutting_down:
            self.shutting_down = True
            self._side.timeline.after(self._side.delay, self._take, [None])

    def _take(self, indices: list[int | None]) -> None:
        self._queue.extend(indices)
        self._pump()

    def _steal(self, indices: list[int]) -> None:
        waiting = set(indices) <= set(self._queue)
        if waiting:
            self._queue = deque(one for one in self._queue if one not in set(indices))
        self._side.tell(self._side.scheduler.remove_pending_tests_from_node, self, indices if waiting else [])

    def _pump(self) -> None:
        if self._next == -1 and self._queue:
            self._next = self._queue.popleft()
        if self._busy or self._next == -1 or (self._next is not None and not self._queue):
            return
        if self._next is None:
            self._side.tell(self._side.ended, self)
            return
        case, self._next = self._next, self._queue.popleft()
        self._busy = True
        seconds = self.process.execute(case, self._next) / self._speed
        self._side.timeline.after(seconds, self._done, case, seconds)

    def _done(self, case: int, seconds: float) -> None:
        self._busy = False
        self._side.done += 1
        self._side.last = self._side.timeline.now
        self._side.tell(self._side.scheduler.mark_test_complete, self, case, seconds)
        self._pump()


class Side:
    """The controller: hands each event to the scheduler, and shuts down when that has finished."""

    def __init__(self, mode: str, recording: Recording, speeds: Sequence[float], delay: float) -> None:
        self.recording, self.delay = recording, delay
        self.timeline = Timeline()
        self.last, self.done = 0.0, 0
        self.scheduler = MODES[mode](Config(len(speeds)), Producer("replay", enabled=False))
        self.nodes = [Node(self, number, speed) for number, speed in enumerate(speeds)]

    def run(self) -> Outcome:
        """Everything, from complete collections on."""
        for node in self.nodes:
            self.scheduler.add_node(node)
        for node in self.nodes:
            self.scheduler.add_node_collection(node, self.recording.ids)
        self.scheduler.schedule()
        self._look()
        self.timeline.run()
        assert self.done == len(self.recording.cases)
        return Outcome(self.last - self.delay, sum(node.process.set_ups for node in self.nodes))

    def tell(self, function: Any, *arguments: Any) -> None:
        """An event of a node, a moment later."""
        self.timeline.after(self.delay, self._hear, function, arguments)

    def _hear(self, function: Any, arguments: Sequence[Any]) -> None:
        function(*arguments)
        self._look()

    def _look(self) -> None:
        if self.scheduler.tests_finished:
            for node in self.scheduler.nodes:
                node.shutdown()

    def ended(self, node: Node) -> None:
        """As `worker_workerfinished`."""
        if node in self.scheduler.nodes:
            self.scheduler.remove_node(node)


def replay(mode: str, recording: Recording, speeds: Sequence[float], delay: float) -> Outcome:
    """One suite on nodes of these speeds; `delay` is what a message takes one way, in seconds."""
    return Side(mode, recording, speeds, delay).run()
