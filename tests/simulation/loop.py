"""An asyncio event loop whose time is simulated and whose callbacks belong to processes that crash and pause."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
_NOBODY = Context()
_MOST_TASKS = 500
_ROUNDING = 1e-9  # a timer is never early on the clock of who set it, be it by the last digit


class Stuck(Exception):
    """Nothing is left that could ever happen."""


class Died(BaseException):
    """Raised where a process dies in the middle of something."""


class _NoSelector:
    def select(self, timeout: float | None) -> list[Any]:
        return []


@dataclass(slots=True)
class Machine:
    """Where processes run. Its monotonic clock began somewhere, and counts `rate` seconds in a true one."""

    name: str
    offset: float = 0.0
    rate: float = 1.0

    def shown(self, now: float) -> float:
        """What it shows at a true time."""
        return self.offset + now * self.rate

    def run_at(self, rate: float, now: float) -> None:
        """Go on from what it shows at another rate: a monotonic clock never jumps."""
        self.offset, self.rate = self.shown(now) - now * rate, rate


_NOWHERE = Machine("")


class Process:
    """What lives and dies together. A dead process runs nothing any more, not even its `finally` blocks.

    Inside it, the loop's time and timers are those of its machine's clock.
    """

    def __init__(self, loop: SimLoop, name: str, machine: Machine) -> None:
        self.loop = loop
        self.name = name
        self.machine = machine
        self.alive = True
        self.paused = False
        self.on_death: list[Callable[[], None]] = []
        self.disk_asked: dict[asyncio.Future[Any], float] = {}
        """What its disk's thread owes it, and since when, in true time."""
        self._late: list[Handle] = []
        self._context = Context()
        self._context.run(_PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine, and everything that it starts, as part of this process."""
        return self.loop.create_task(work, context=self._context.copy())

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a function soon, as part of this process."""
        self.loop.call_soon(function, *arguments, context=self._context.copy())

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """What this process would answer now, were it asked."""
        return self._context.copy().run(question)

    def crash(self) -> None:
        """Die at once; `on_death` is told (once)."""
        if self.alive:
            self.alive = False
            self.loop.graveyard.extend(self._late)
            for told in self.on_death:
                told()

    def pause(self) -> None:
        """Stand still, as under SIGSTOP: what is due waits."""
        self.paused = True

    def resume(self) -> None:
        """Go on with what waited."""
        self.paused = False
        self.loop.put_back(self._late)
        self._late = []

    def hold(self, handle: Handle) -> None:
        """Keep what came due during a pause."""
        self._late.append(handle)


class Handle:
    """As asyncio's, for handles and timers, without what only a debugger reads."""

    __slots__ = ("_due", "arguments", "callback", "cancelled_", "context")

    def __init__(
        self, due: float, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Context | None
    ) -> None:
        self._due = due
        self.callback = callback
        self.arguments = arguments
        self.cancelled_ = False
        self.context = copy_context() if context is None else context

    def cancel(self) -> None:
        """Never call it."""
        self.cancelled_ = True

    def cancelled(self) -> bool:
        """Whether it will never be called."""
        return self.cancelled_

    def when(self) -> float:
        """The true time at which it is due."""
        return self._due


class Task(asyncio.Task[Any]):
    """A set of them, of which asyncio ends or calls one after the other, has an order that does not depend on addresses."""

    def __init__(self, work: Coroutine[Any, Any, Any], loop: SimLoop, context: Context | None, number: int) -> None:
        self._number = number
        super().__init__(work, loop=loop, context=context)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Never waits: when nothing is ready, time jumps to the next timer. One thread, no input, no output."""

    # What asyncio keeps and does not declare.
    _ready: deque[Handle]

    def __init__(self) -> None:
        super().__init__()
        self._selector = _NoSelector()
        self.now = 0.0
        """True seconds since the beginning, which no process knows."""
        self._timers: list[tuple[float, int, Handle]] = []
        self.failure: BaseException | None = None
        self.steps = 0
        self.burying = False
        self._processes: list[Process] = []
        self._numbers = itertools.count(1)
        self._order = itertools.count()
        self.graveyard: list[Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.disk_delay: Callable[[], float] = lambda: 0.0005
        self.on_the_way: Callable[[], bool] = lambda: False
        """Whether what a process asked of the disk's thread is beyond recall when it dies or pauses."""

    def create_task(  # type: ignore[override]
        self, work: Coroutine[Any, Any, Any], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """As asyncio's. Every task is kept until it is done, so that the garbage collector ends none."""
        task = Task(work, self, context, next(self._order))
        if not self._closed:
            self._tasks.append(task)
            if len(self._tasks) > _MOST_TASKS:
                self._tasks = [one for one in self._tasks if not one.done()]
        return task

    def bury(self) -> None:
        """Everything ends in good order, on nobody's behalf; nothing happens any more afterwards."""
        self.set_exception_handler(lambda *_: None)
        self.failure, self.burying = None, True
        for process in self._processes:
            process.resume()
        left, self.graveyard = self.graveyard, []
        self._ready.extend(left)
        for _ in range(30):
            tasks = self._tasks = [task for task in self._tasks if not task.done()]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            while self._ready:
                self._run_once()
        self._closed = True
        self._tasks.clear()
        self._ready.clear()
        self._timers.clear()

    def _check_closed(self) -> None:
        pass

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *arguments: Any, context: Context | None = None
    ) -> Handle:
        """As asyncio's, until the burial."""
        handle = Handle(0.0, callback, arguments, context)
        if not self._closed:
            self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def time(self) -> float:
        """Seconds on the clock of whoever asks."""
        return _machine().shown(self.now)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *arguments: Any, context: Context | None = None
    ) -> Handle:
        """As asyncio's; `when` is on the clock of the caller."""
        machine = _machine()
        return self._set((when - machine.offset) / machine.rate + _ROUNDING, callback, arguments, context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *arguments: Any, context: Context | None = None
    ) -> Handle:
        """As asyncio's; the delay is on the clock of the caller."""
        return self._set(self.now + delay / _machine().rate, callback, arguments, context)

    def _set(
        self, due: float, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Context | None
    ) -> Handle:
        timer = Handle(due, callback, arguments, context)
        if not self._closed:
            heapq.heappush(self._timers, (due, next(self._order), timer))
        return timer

    def next_number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    def process(self, name: str, machine: Machine = _NOWHERE) -> Process:
        """A process that has just been started."""
        self._processes.append(Process(self, name, machine))
        return self._processes[-1]

    def outside(self, when: float, function: Callable[..., Any], *arguments: Any) -> Handle:
        """Call at a true time, on nobody's behalf: the network and the faults outlive every process."""
        return self._set(when, function, arguments, _NOBODY)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *arguments: Any
    ) -> Any:
        """The disk's thread: a delay, the work at one moment, another delay. The process may die at either.

        What was on the way to the disk takes place even when the process has died or is paused meanwhile.
        """
        answer = self.create_future()
        owner = current()
        context = copy_context()
        if owner is not None:
            owner.disk_asked[answer] = self.now
            answer.add_done_callback(owner.disk_asked.pop)

        def act() -> None:
            if owner is not None and (owner.paused or not owner.alive) and not self.on_the_way():
                self.call_soon(work, context=context)  # held, or never done
            else:
                context.run(work)

        def work() -> None:
            try:
                result, error = func(*arguments), None
            except Died:
                if owner is not None:
                    owner.crash()
                return
            except Exception as wrong:
                result, error = None, wrong
            self.call_later(self.disk_delay(), settle, result, error)

        def settle(result: Any, error: Exception | None) -> None:
            if not answer.done():
                answer.set_result(result) if error is None else answer.set_exception(error)

        self.outside(self.now + self.disk_delay(), act)
        return answer

    def put_back(self, handles: list[Handle]) -> None:
        """Callbacks that were held are ready again."""
        self._ready.extend(handles)

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _run_once(self) -> None:
        if self.failure is not None:
            raise self.failure
        if not self._ready:
            if not self._timers:
                raise Stuck("no timer is set and nothing is ready")
            due, _, timer = heapq.heappop(self._timers)
            if timer.cancelled_:
                return
            if due > self.now:
                self.now = due
            self._ready.append(timer)
        handle = self._ready.popleft()
        if handle.cancelled_:
            return
        owner = handle.context.get(_PROCESS)
        if owner is not None and not self.burying:
            if not owner.alive:
                self.graveyard.append(handle)
                return
            if owner.paused:
                owner.hold(handle)
                return
        self.steps += 1
        try:
            handle.context.run(handle.callback, *handle.arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": "a callback failed", "exception": error})
        if self.failure is not None:
            raise self.failure


def _machine() -> Machine:
    owner = _PROCESS.get()
    return owner.machine if owner is not None else _NOWHERE


def current() -> Process | None:
    """The process that runs now."""
    return _PROCESS.get()
