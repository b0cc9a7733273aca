"""Interpreters that are started ahead: each has imported pytest and waits for the run that probably comes next.

A spare fits an order whose interpreter, folder and variables are its own, the hash seed too, and only while its folder is still the one at
that path and every file that it rests on is as it was: its run cannot be told from one in a fresh interpreter, but that it begins sooner.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.connection import Connection
from crossfleet.worker.shim.host import Host, Message, fresh_token
from crossfleet.worker.shim.loop import Timer
from crossfleet.worker.shim.zygote import ALLOCATION_TOKEN, Spawned, spawn_pytest

CALM_SECONDS = 0.5
"""So long after the last allocation has ended spares are started: who ends a fleet, or goes on at once, is not disturbed."""
_KEPT_SECONDS = 600.0
_TOLD_LATER = ("CROSSFLEET_RUN", "CROSSFLEET_TARGET", "CROSSFLEET_ARTIFACTS", "TRACEPARENT")
"""Variables of one run, which a spare gets when it is taken. It is started with those of the run before: what a killed shim leaves is known by them."""

Key = tuple[object, ...]


class Spare:
    """One of them. ``mark`` is the allocation token in its environment; ``connection`` is there once it has said hello.

    One that is taken before calls ``on_hello`` then.
    """

    def __init__(self, key: Key, folder: str) -> None:
        self.key = key
        self._folder = folder
        self.mark = fresh_token()
        self.token = ""
        self.process = Spawned(0, [])
        self.connection: Connection | None = None
        self.on_hello: Callable[[Connection, Message], None] = _unheard
        self.files: list[tuple[str, int, int]] = []
        self.timer: Timer | None = None

    @property
    def usable(self) -> bool:
        """Whether it still waits, and all that it rests on has not changed since. While it comes up it is as good as one started now."""
        if not _stands_in(self.process.pid, self._folder):
            return False
        if self.connection is None:
            return True
        return self.connection.open and all(_unchanged(*stamp) for stamp in self.files)


class Spares:
    """At most ``most`` of them, for the latest orders. ``busy`` says whether an allocation is here; meanwhile none is started."""

    def __init__(self, host: Host, most: int, busy: Callable[[], bool]) -> None:
        self._host = host
        self._most = most
        self._busy = busy
        self._wished: dict[Key, Message] = {}
        self._spares: dict[Key, Spare] = {}

    def foresee(self, order: Message) -> None:
        """An allocation has ended: the next one is probably like it, with the hash seed that its order tells."""
        seed = order.get("next_seed")
        if not seed or not self._most:
            return
        wish = {**order, "env": {**order["env"], "PYTHONHASHSEED": str(seed)}}
        key = _key(wish)
        self._wished.pop(key, None)
        self._wished[key] = {name: wish.get(name) for name in ("python", "cwd", "as_module", "env")}
        while len(self._wished) > self._most:
            del self._wished[next(iter(self._wished))]
        self._host.loop.call_after(CALM_SECONDS, self._fulfil)

    def take(self, order: Message) -> Spare | None:
        """The spare that fits an order; it is the caller's from now on, process, pipes and connection."""
        key = _key(order)
        self._wished.pop(key, None)
        spare = self._spares.pop(key, None)
        if spare is None:
            return None
        if spare.timer is not None:
            spare.timer.cancel()
        if not spare.usable:
            self._end(spare)
            return None
        return spare

    @property
    def waiting(self) -> list[int]:
        """The process ids of those that have pytest in memory."""
        return [spare.process.pid for spare in self._spares.values() if spare.connection is not None]

    def close(self) -> None:
        """End all of them."""
        self._wished.clear()
        while self._spares:
            self._end(self._spares.popitem()[1])

    def _fulfil(self) -> None:
        if self._busy():
            return
        while self._wished:
            key, wish = self._wished.popitem()
            earlier = self._spares.get(key)
            if earlier is not None and earlier.usable:
                continue
            if earlier is not None:
                self._drop(earlier)
            while len(self._spares) >= self._most:
                self._end(self._spares.pop(next(iter(self._spares))))
            self._start(key, wish)

    def _start(self, key: Key, wish: Message) -> None:
        spare = Spare(key, str(wish["cwd"]))
        spare.token = self._host.expect(partial(_greeted, spare))
        early = "module" if wish["as_module"] else "script"
        env = {**wish["env"], ALLOCATION_TOKEN: spare.mark}
        try:
            spare.process = spawn_pytest(wish, self._host.runner_socket, spare.token, env, early)
        except (OSError, ValueError):
            self._host.expect_no_more(spare.token)
            return  # the run itself will say what is wrong
        self._spares[key] = spare
        spare.timer = self._host.loop.call_after(_KEPT_SECONDS, partial(self._drop, spare))
        self._host.reaper.watch(spare.process.pid, lambda code: self._drop(spare))

    def _drop(self, spare: Spare) -> None:
        if self._spares.get(spare.key) is spare:
            del self._spares[spare.key]
            self._end(spare)

    def _end(self, spare: Spare) -> None:
        if spare.timer is not None:
            spare.timer.cancel()
        self._host.expect_no_more(spare.token)
        processes.signal_group(spare.process.pid, signal.SIGKILL)
        for descriptor in spare.process.outputs:
            os.close(descriptor)
        if spare.connection is not None:
            spare.connection.close()


def told_later(env: dict[str, str]) -> dict[str, str | None]:
    """What a spare has to change in its environment when it is taken; None: take it out."""
    return {name: env.get(name) for name in _TOLD_LATER}


def _greeted(spare: Spare, connection: Connection, hello: Message) -> None:
    spare.connection = connection
    spare.files = [(str(path), int(mtime), int(size)) for path, mtime, size in hello["files"]]
    spare.on_hello(connection, hello)


def _unheard(connection: Connection, hello: Message) -> None:
    return None


def _key(order: Message) -> Key:
    fixed = frozenset((name, value) for name, value in order["env"].items() if name not in _TOLD_LATER)
    return str(order["python"]), str(order["cwd"]), bool(order.get("as_module")), fixed


def _stands_in(pid: int, folder: str) -> bool:
    """Whether a process is in the folder at this path; one that was removed or renamed meanwhile is another."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except OSError:
        return False


def _unchanged(path: str, mtime: int, size: int) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return size == -1
    return (status.st_mtime_ns, status.st_size) == (mtime, size)
