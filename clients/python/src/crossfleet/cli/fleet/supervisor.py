"""Starts the services of a fleet, restarts what dies, and ends all of them whatever happens to itself.

Every child inherits the read end of the lifeline pipe. Its write end is in this process alone, so a child reads the
end of file when this process is gone, however it went.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.fleet.listeners import Event, Listener, Listeners
from crossfleet.cli.fleet.plan import FleetPlan, ServicePlan, addresses, services
from crossfleet.cli.fleet.process import ServiceProcess

TYPE_CHECKING = False  # `typing` itself takes longer to import than all that this module does before the services start
if TYPE_CHECKING:
    from selectors import BaseSelector
    from socket import socket

_PASSED_ON = frozenset(("scheduler",))
"""What services say of themselves and a supervisor repeats."""
STOP_SECONDS = 3.0
DRAIN_SECONDS = 15.0


class Supervisor:
    """Runs one fleet until it is told to stop, or until nobody listens any more (unless `keep` is set).

    `on_event` is called with each event: `started`, `ready`, `serving`, `scheduler`, `died`, `gave_up`,
    `stopping`. `services` says which processes make up the fleet.
    """

    def __init__(
        self,
        plan: FleetPlan,
        *,
        keep: bool,
        on_event: Callable[[Event], None] | None = None,
        services: Callable[[FleetPlan, str, int], list[ServicePlan]] = services,
    ) -> None:
        self._plan = plan
        self._services = services
        self._keep = keep
        self._on_event = on_event
        self._listeners = Listeners()
        self._processes: list[ServiceProcess] = []
        self._environment = service_environment()
        self._stopping = ""
        self._stop_by = 0.0
        self._status = 0
        self._serving = False
        self.runtime = ""

    def start(self) -> None:
        """Spawns all services at once. Raises OSError where folders cannot be made."""
        data, logs = self._plan.data, os.path.join(self._plan.data, "logs")
        folders.make_private(data, fleetfile.LOCK)
        folders.make_private(logs)
        stale = fleetfile.read(data)
        if stale is not None:  # the lock is ours, so its owner is gone
            folders.remove_runtime_folder(stale.runtime)
        self.runtime = folders.make_runtime_folder()
        self._lifeline, self._held = os.pipe()
        os.set_inheritable(self._lifeline, True)
        for service in self._services(self._plan, self.runtime, self._lifeline):
            process = ServiceProcess(service, logs)
            self._processes.append(process)
            process.start(self._environment)

    def run(self, first: Listener | None = None) -> int:
        """Serves until the end; answers the exit status: 0 stopped, 2 wrong settings, 3 a service gave up."""
        # Imported after the services were spawned: they start while this is loaded.
        import selectors
        import socket

        selector = selectors.DefaultSelector()
        wake, waker = os.pipe()
        for handle in (wake, waker):
            os.set_blocking(handle, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self.stop(signal.Signals(number).name))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        address, clients = addresses(self.runtime)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        door.bind(clients)
        door.listen(64)
        plan = self._plan
        fleetfile.write(
            plan.data,
            fleetfile.FleetFile(address, clients, os.getpid(), self.runtime, "", plan.grpc, plan.http, plan.token_file),
        )
        selector.register(wake, selectors.EVENT_READ, None)
        selector.register(door, selectors.EVENT_READ, door)
        if first is not None:
            self._listeners.add(first)
        self._tell({"event": "started", "address": address, "clients": clients, "runtime": self.runtime})
        try:
            return self._loop(selector, wake, door)
        finally:
            signal.set_wakeup_fd(-1)
            self._end(door)

    def stop(self, cause: str) -> None:
        """Begins to end the fleet. A second call ends it at once."""
        self._stop_by = 0.0 if self._stopping else time.monotonic() + (DRAIN_SECONDS if self._keep else STOP_SECONDS)
        if not self._stopping:
            self._stopping = cause
            self._tell({"event": "stopping", "cause": cause})
            if not self._keep:
                self._cut_lifeline()
            for process in self._processes:
                process.signal(signal.SIGTERM)

    def _loop(self, selector: BaseSelector, wake: int, door: socket) -> int:
        from selectors import EVENT_READ

        known: set[int] = set()
        while True:
            wanted = {process.output for process in self._processes if process.output >= 0}
            wanted |= set(self._listeners.present)
            for handle in known - wanted:
                selector.unregister(handle)
            for handle in wanted - known:
                selector.register(handle, EVENT_READ, None)
            known = wanted
            for key, _ in selector.select(self._pause()):
                if key.fd == wake:
                    os.read(wake, 4096)
                elif key.fd == door.fileno():
                    self._admit(door)
            self._hear()
            self._reap()
            if self._stopping:
                if self._settled():
                    return self._status
            else:
                self._restart()
                if not self._keep and not self._listeners.present:
                    self.stop("nobody uses this fleet any more")

    def _pause(self) -> float:
        now = time.monotonic()
        if self._stopping:
            return max(0.01, min(0.5, self._stop_by - now))
        waiting = [p.start_at - now for p in self._processes if not p.pid and not p.given_up]
        return max(0.01, min([*waiting, 5.0]))

    def _admit(self, door: socket) -> None:
        try:
            handle = door.accept()[0].detach()
        except OSError:
            return
        self._listeners.add(Listener(handle, handle))

    def _hear(self) -> None:
        for listener in list(self._listeners.present.values()):
            if listener.gone():
                self._listeners.drop(listener)
        for process in self._processes:
            for line in (process.read_lines() or []) if process.output >= 0 else []:
                self._heed(process, line)

    def _heed(self, process: ServiceProcess, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return
        if isinstance(said, dict) and str(said.get("event")) in _PASSED_ON:
            self._tell(said, remember=False)
        if not isinstance(said, dict) or "ready" not in said:
            return
        if not said["ready"]:
            process.refusal = str(said.get("message", ""))
            process.refusal_reason = str(said.get("reason", ""))
            return
        process.ready = True
        listening = said.get("addresses") or [said.get("address", "")]
        process.addresses = tuple(str(address) for address in listening)
        self._tell({"event": "ready", "service": process.plan.name, "addresses": list(process.addresses)})
        if not self._serving and all(each.ready for each in self._processes):
            self._serving = True
            self._tell({"event": "serving"})

    def _reap(self) -> None:
        for process in self._processes:
            if not process.pid:
                continue
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if not pid:
                continue
            if process.output >= 0:  # a refusal may be its last words
                for line in process.read_lines() or []:
                    self._heed(process, line)
                if process.output >= 0:
                    os.close(process.output)
                    process.output = -1
            how = process.died(status)
            if not self._stopping:
                self._mourn(process, how)

    def _mourn(self, process: ServiceProcess, how: str) -> None:
        message = process.refusal or f"{process.plan.name} {how}"
        event = {"service": process.plan.name, "message": message, "log": process.log_path}
        if not process.given_up:
            self._tell({"event": "died", **event}, remember=False)
            return
        wrong_settings = process.wrong_settings
        self._tell({"event": "gave_up", **event, "tail": process.log_tail(), "wrong_settings": wrong_settings})
        workers = [each for each in self._processes if not each.plan.vital]
        if process.plan.vital or all(worker.given_up for worker in workers):
            self._status = 2 if wrong_settings else 3
            self.stop(message)

    def _restart(self) -> None:
        now = time.monotonic()
        for process in self._processes:
            if not process.pid and not process.given_up and process.start_at <= now:
                process.start(self._environment)

    def _settled(self) -> bool:
        alive = [process for process in self._processes if process.pid]
        if alive and time.monotonic() >= self._stop_by:
            for process in alive:
                process.signal(signal.SIGKILL)
        return not alive

    def _tell(self, event: Event, *, remember: bool = True) -> None:
        self._listeners.tell(event, remember=remember)
        if self._on_event is not None:
            self._on_event(event)

    def _cut_lifeline(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def _end(self, door: socket) -> None:
        self._cut_lifeline()
        fleetfile.remove(self._plan.data)
        door.close()
        folders.remove_runtime_folder(self.runtime)
        for listener in list(self._listeners.present.values()):
            self._listeners.drop(listener)


def service_environment() -> dict[str, str]:
    """The environment of the services: this process's own, without what is meant for another Python program.

    PYTHONPATH stays where crossfleet itself was found through it.
    """
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if any(path and os.path.abspath(path) == os.path.dirname(package) for path in paths):
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return kept


_FOREIGN = frozenset(
    ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONWARNINGS", "PYTHONHASHSEED", "PYTHONSAFEPATH")
)
