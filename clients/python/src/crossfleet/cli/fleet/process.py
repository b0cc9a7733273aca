"""One service as a child process: started, listened to, restarted within a budget."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

from crossfleet.cli.fleet.plan import ServicePlan

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
RESTARTS = 5
RESTART_WINDOW_SECONDS = 60.0
WRONG_SETTINGS = 2
"""Exit status of a service that was told something wrong."""
OCCUPIED = frozenset(("PORT_IN_USE", "DATA_FOLDER_IN_USE"))
"""Refusals that pass where they come from a fleet that is just ending."""
_OCCUPIED_TRIES = 3
REFUSED = frozenset(("ADDRESS_INVALID", "INSECURE_TRANSPORT", "CERTIFICATE_INVALID", "CONFIGURATION_INVALID"))
"""Refusals that starting again does not change: somebody has to change the settings."""
_LOG_BYTES = 10 * 1024 * 1024


@dataclass(slots=True)
class ServiceProcess:
    """A service and its present process. `pid` is zero while none runs; `start_at` says when it is tried again."""

    plan: ServicePlan
    logs: str
    pid: int = 0
    output: int = -1
    ready: bool = False
    addresses: tuple[str, ...] = ()
    refusal: str = ""
    refusal_reason: str = ""
    given_up: bool = False
    wrong_settings: bool = False
    start_at: float = 0.0
    deaths: list[float] = field(default_factory=list)
    pending: bytes = b""

    @property
    def log_path(self) -> str:
        """Where its standard error goes."""
        return os.path.join(self.logs, f"{self.plan.name}.log")

    def start(self, environment: dict[str, str]) -> None:
        """Starts the process in a session of its own, so that Ctrl-C in a terminal reaches only its supervisor."""
        self.refusal, self.refusal_reason, self.ready, self.pending = "", "", False, b""
        _rotate(self.log_path)
        command = self.plan.command if self.deaths else (*self.plan.command, *self.plan.at_first)
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.output, written = os.pipe()
        os.set_blocking(self.output, False)
        try:
            self.pid = os.posix_spawn(
                command[0],
                command,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, written, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD],
            )
        finally:
            os.close(written)
            os.close(log)

    def signal(self, number: int) -> None:
        """Sends a signal to its process, if there is one."""
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def died(self, status: int) -> str:
        """Notes its end and plans the next start. Answers in words how it ended."""
        self.pid, self.ready = 0, False
        now = time.monotonic()
        self.deaths = [at for at in self.deaths if now - at < RESTART_WINDOW_SECONDS] + [now]
        code = os.waitstatus_to_exitcode(status)
        tries = _OCCUPIED_TRIES if self.refusal_reason in OCCUPIED else RESTARTS
        refused = code == WRONG_SETTINGS or self.refusal_reason in REFUSED
        self.wrong_settings = refused or self.refusal_reason in OCCUPIED
        self.given_up = refused or len(self.deaths) > tries
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (len(self.deaths) - 1))
        self.start_at = now + pause
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"

    def read_lines(self) -> list[bytes] | None:
        """Complete lines that it has printed since the last call; None at the end of its output."""
        try:
            piece = os.read(self.output, 65536)
        except BlockingIOError:
            return []
        if not piece:
            os.close(self.output)
            self.output = -1
            return None
        *lines, self.pending = (self.pending + piece).split(b"\n")
        self.pending = self.pending[-65536:]  # a service that prints without end is none of ours to buffer
        return lines

    def log_tail(self, characters: int = 2000) -> str:
        """The end of its log, for the message that says why it could not start."""
        try:
            with open(self.log_path, "rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - characters))
                return log.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""


def _rotate(path: str) -> None:
    try:
        if os.stat(path).st_size > _LOG_BYTES:
            os.replace(path, f"{path}.1")
    except OSError:
        pass
