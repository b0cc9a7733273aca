"""An asyncio event loop whose time is simulated and whose callbacks belong to processes that crash and pause."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any

_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
_NOBODY = Context()


class Stuck(Exception):
    """Nothing is left that could ever happen."""


class Died(BaseException):
    """Raised where a process dies in the middle of something."""


class _NoSelector:
    def select(self, timeout: float | None) -> list[Any]:
        return []


class Process:
    """What lives and dies together. A dead process runs nothing any more, not even its `finally` blocks."""

    def __init__(self, loop: SimLoop, name: str) -> None:
        self.loop = loop
        self.name = name
        self.alive = True
        self.paused = False
        self.on_death: list[Callable[[], None]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self._late: list[asyncio.Handle] = []
        self._context = Context()
        self._context.run(_PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine, and everything that it starts, as part of this process."""
        return self.loop.create_task(work, context=self._context.copy())

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a function soon, as part of this process."""
        self.loop.call_soon(function, *arguments, context=self._context.copy())

    def crash(self) -> None:
        """Die at once; `on_death` is told (once)."""
        if self.alive:
            self.alive = False
            # Kept, so that the garbage collector does not run their `finally` blocks.
            self.loop.graveyard.extend(self._late)
            self.loop.graveyard.extend(task for task in self.tasks if not task.done())
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

    def hold(self, handle: asyncio.Handle) -> None:
        """Keep what came due during a pause."""
        self._late.append(handle)


class SimLoop(asyncio.BaseEventLoop):
    """Never waits: when nothing is ready, time jumps to the next timer. One thread, no input, no output."""

    # What asyncio keeps and does not declare.
    _ready: deque[asyncio.Handle]
    _scheduled: list[Any]

    def __init__(self) -> None:
        super().__init__()
        self._selector = _NoSelector()
        self._now = 0.0
        self.failure: BaseException | None = None
        self.steps = 0
        self.burying = False
        self._processes: list[Process] = []
        self._numbers = itertools.count(1)
        self.graveyard: list[Any] = []
        self.set_task_factory(self._new_task)
        self.disk_delay: Callable[[], float] = lambda: 0.0005

    def _new_task(self, loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
        context = options.get("context")
        owner = context.get(_PROCESS) if context is not None else _PROCESS.get()
        task = asyncio.Task(work, loop=loop, **options)
        if owner is not None:
            owner.tasks.append(task)
            if len(owner.tasks) > 2000:
                owner.tasks = [one for one in owner.tasks if not one.done()]
        return task

    def bury(self) -> None:
        """Everything ends in good order, on nobody's behalf; nothing happens any more afterwards."""
        self.set_exception_handler(lambda *_: None)
        self.failure, self.burying = None, True
        for process in self._processes:
            process.resume()
        left, self.graveyard = self.graveyard, []
        self._ready.extend(handle for handle in left if isinstance(handle, asyncio.Handle))
        for _ in range(30):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            while self._ready:
                self._run_once()
        self.set_task_factory(None)
        self._closed = True
        self._ready.clear()
        self._scheduled.clear()

    def _check_closed(self) -> None:
        pass

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *arguments: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, until the burial."""
        if self._closed:
            return asyncio.Handle(callback, arguments, self, context)
        handle = asyncio.Handle(callback, arguments, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def time(self) -> float:
        """Simulated seconds since the beginning."""
        return self._now

    def next_number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    def process(self, name: str) -> Process:
        """A process that has just been started."""
        self._processes.append(Process(self, name))
        return self._processes[-1]

    def outside(self, when: float, function: Callable[..., Any], *arguments: Any) -> asyncio.TimerHandle:
        """Call at a time, on nobody's behalf: the network and the faults outlive every process."""
        return self.call_at(when, function, *arguments, context=_NOBODY.copy())

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *arguments: Any
    ) -> Any:
        """The disk's thread: a delay, the work at one moment, another delay. The process may die at either."""
        answer = self.create_future()

        def act() -> None:
            try:
                result, error = func(*arguments), None
            except Died:
                owner = current()
                if owner is not None:
                    owner.crash()
                return
            except Exception as wrong:
                result, error = None, wrong
            self.call_later(self.disk_delay(), settle, result, error)

        def settle(result: Any, error: Exception | None) -> None:
            if not answer.done():
                answer.set_result(result) if error is None else answer.set_exception(error)

        self.call_later(self.disk_delay(), act)
        return answer

    def put_back(self, handles: list[asyncio.Handle]) -> None:
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
            if not self._scheduled:
                raise Stuck("no timer is set and nothing is ready")
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            if timer._cancelled:
                return
            self._now = max(self._now, timer._when)
            self._ready.append(timer)
        handle = self._ready.popleft()
        if handle._cancelled:
            return
        owner = handle._context.get(_PROCESS)  # type: ignore[attr-defined]
        if owner is not None and not self.burying:
            if not owner.alive:
                self.graveyard.append(handle)
                return
            if owner.paused:
                owner.hold(handle)
                return
        self.steps += 1
        handle._run()
        if self.failure is not None:
            raise self.failure


def current() -> Process | None:
    """The process that runs now."""
    return _PROCESS.get()
