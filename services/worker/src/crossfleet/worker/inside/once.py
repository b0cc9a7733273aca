"""The fixture ``once_per_host``: something made once for all slots, workers and targets of a run on a host."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from typing import Any, Callable, Optional

from . import keeper, parent
from .channel import Channel
from .hostrun import HostRun, pause, taken

MOST_SECONDS = 600.0
"""How long the making may take, where the suite does not say."""
_END_SECONDS = 15.0
"""How long the last session waits for what was made to be ended: less than the shim waits for the session."""


class OncePerHost:
    """Makes, or finds what another process has made. One for each session; slots inherit it."""

    def __init__(self, run: str) -> None:
        self._run = HostRun(re.sub(r"[^\w.-]", "_", run))
        self._config: Any = None
        self._channel: Optional[Channel] = None

    def expect(self, items: Any) -> None:
        """In the zygote: stay a session of the run for as long as its slots may need what was made."""
        if any("once_per_host" in getattr(item, "fixturenames", ()) for item in items):
            self._run.join()

    def enter(self, config: Any, channel: Channel) -> None:
        """In a slot: this is the line to the shim."""
        self._config, self._channel = config, channel

    def __call__(self, key: str, make: Callable[[], Any], seconds: float = MOST_SECONDS) -> Any:
        """What ``make`` returned or yielded in the one process that ran it, as JSON carries it.

        A generator goes on after its ``yield`` when the run has ended on this host. Raises RuntimeError with the text of
        what went wrong, TimeoutError after ``seconds``.
        """
        if not self._run.joined:
            self._run.join()
        name = "{}-{}".format(re.sub(r"\W", "_", key)[:40], hashlib.sha256(key.encode("utf-8")).hexdigest()[:8])
        path = os.path.join(self._run.folder, name)
        deadline = time.monotonic() + seconds
        with taken(path + ".making", deadline) as making:
            while self._run.held(name + ".keeper"):
                if os.path.exists(path + ".json"):
                    return _read(path + ".json")
                # Its maker's slot has died, or it is just being ended for sessions before this one.
                pause(deadline, "{!r} was not ready in time".format(key))
            return self._make(key, name, make, making, deadline)

    def conclude(self) -> None:
        """At the end of the zygote's session: the last one on the host waits until everything was ended."""
        if not self._run.joined or not self._run.leave():
            return
        for name, text in keeper.endings(self._run, _END_SECONDS).items():
            sys.stderr.write("crossfleet: the end of {}, made once for this host: {}\n".format(name, text))
        self._run.remove()

    def _make(self, key: str, name: str, make: Callable[[], Any], making: int, deadline: float) -> Any:
        pid, reader = keeper.fork(self._run, name, make, lambda: self._leave_slot(making))
        if self._channel is not None:
            self._channel.send({"op": "keeper", "pid": pid})
        try:
            wrong = keeper.answer(reader, deadline)
        except TimeoutError:
            os.kill(pid, 9)
            raise TimeoutError("{!r} was not made in time".format(key)) from None
        finally:
            os.close(reader)
        if wrong:
            raise RuntimeError("{!r} could not be made once for this host:\n{}".format(key, wrong))
        return _read(os.path.join(self._run.folder, name + ".json"))

    def _leave_slot(self, making: int) -> None:
        """In a fresh keeper: let go of the slot's line, lock and output, and die with the shim."""
        os.close(making)
        if self._channel is not None:
            self._channel.close()
        manager = self._config.pluginmanager.getplugin("capturemanager") if self._config is not None else None
        if manager is not None:
            manager.stop_global_capturing()
        parent.die_with_it()


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)
