"""Drives a real shim process over its socket, as the agent does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
PYTHON = os.environ.get("CROSSFLEET_SUITE_PYTHON", sys.executable)
"""The interpreter of the suites: set the variable to try another version of Python or pytest."""
PATIENCE = 30.0
"""Seconds that a test waits for anything before it fails."""


class Shim:
    """A shim over ``folder`` and, once ``attach`` was called, the agent's end of its socket."""

    def __init__(self, folder: Path, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
        command = [sys.executable, "-m", "crossfleet.worker.shim", "--state", str(folder), *arguments]
        self.adopt(folder, subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=pass_fds))

    def adopt(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        """Drive a shim that was started in another way."""
        self.folder = folder
        self.process = process
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.messages: list[Message] = []
        self.acknowledge = True
        self._socket: socket.socket | None = None
        self._received = b""

    def attach(self) -> Message:
        """Connect as a new agent; returns "attached"."""
        self.detach()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self.folder / "shim.sock"))
        self._received = b""
        self.send(op="attach", incarnation="test")
        return self.wait(lambda m: m["op"] == "attached", fresh=True)

    def detach(self) -> None:
        """Go away without a word."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, **message: object) -> None:
        """Send one message."""
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self._socket is not None
        self._socket.sendall(data)

    def wait(self, wanted: Callable[[Message], bool], *, fresh: bool = False, patience: float = PATIENCE) -> Message:
        """Return the first message, of all so far (``fresh``: of those to come), for which ``wanted`` holds."""
        if not fresh:
            for message in self.messages:
                if wanted(message):
                    return message
        deadline = time.monotonic() + patience
        while True:
            message = self._next(deadline)
            if wanted(message):
                return message

    def op(self, op: str, **fields: object) -> Message:
        """Wait for a message of this op whose fields are as given."""
        return self.wait(lambda m: m["op"] == op and all(m.get(key) == value for key, value in fields.items()))

    def all(self, op: str, **fields: object) -> list[Message]:
        """Return every message of this op so far whose fields are as given."""
        return [m for m in self.messages if m["op"] == op and all(m.get(k) == v for k, v in fields.items())]

    def open(self, cwd: Path, *argv: str, slots: int = 1, runner: str = "pytest", **fields: Any) -> Message:
        """Open allocation "A" over a suite and return its collection."""
        self.begin(cwd, *argv, slots=slots, runner=runner, **fields)
        return self.wait(lambda m: m["op"] in ("collected", "closed"))

    def begin(self, cwd: Path, *argv: str, slots: int = 1, runner: str = "pytest", **fields: Any) -> None:
        """Send "open" for allocation "A" and wait for nothing. ``plugins``: load those that are installed here."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        env["PYTHONHASHSEED"] = "0"
        if not fields.pop("plugins", False):
            env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        env.update(fields.pop("env", {}))
        limits = {"case_seconds": 0, "collect_seconds": 60, "grace_seconds": 1, "output_bytes": 65536}
        limits.update(fields.pop("limits", {}))
        memory = fields.pop("memory_bytes", 0)
        order: Message = {
            "op": "open",
            "allocation": "A",
            "runner": runner,
            "argv": list(argv),
            "python": PYTHON,
            "cwd": str(cwd),
            "env": env,
            "slots": [{"slot": n, "env": {"SLOT": str(n)}, "memory_bytes": memory} for n in range(slots)],
            "limits": limits,
            "artifacts_dir": str(cwd),
            "junit_globs": [],
        }
        order.update(fields)
        self.send(**order)

    def run(self, slot: int, attempt: int, cases: list[int], *, last: bool = True, **fields: object) -> None:
        """Send a task to a slot of allocation "A"."""
        self.send(op="run", allocation="A", slot=slot, attempt=attempt, cases=cases, last=last, **fields)

    def finish(self, slot: int, attempt: int, cases: list[int], **fields: Any) -> tuple[list[Message], Message]:
        """Run a task to its end; returns its results and its "finished"."""
        self.run(slot, attempt, cases, **fields)
        finished = self.op("finished", attempt=attempt)
        return self.all("result", attempt=attempt), finished

    def close(self) -> Message:
        """Close allocation "A" and return its "closed"."""
        self.send(op="close", allocation="A")
        return self.op("closed")

    def outcomes(self, collected: Message) -> dict[str, str]:
        """Return id -> outcome of all results so far."""
        ids = [case["id"] for case in collected["cases"]]
        return {ids[m["case"]]: m["outcome"] for m in self.all("result")}

    def end(self) -> int:
        """End the shim, whatever state it is in; returns its exit status."""
        if self.process.poll() is None and self._socket is not None:
            try:
                self.send(op="stop")
                self.process.wait(PATIENCE)
            except (OSError, subprocess.TimeoutExpired):
                pass
        self.detach()
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.wait(PATIENCE)

    def _next(self, deadline: float) -> Message:
        assert self._socket is not None
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0:
                ops = [m["op"] for m in self.messages[-20:]]
                raise AssertionError(f"nothing that was waited for has come; the last were {ops}: {self.messages[-3:]}")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                continue
            if not data:
                raise AssertionError(f"the shim closed the connection; the last were {self.messages[-3:]}")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        message: Message = json.loads(line)
        self.messages.append(message)
        if self.acknowledge and "sequence" in message:
            self.send(op="ack", sequence=message["sequence"])
        return message


def suite(folder: Path, **files: str) -> Path:
    """Write a suite: each keyword is a file (``test_a`` -> ``test_a.py``; ``pytest_ini`` -> ``pytest.ini``)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        target = "pytest.ini" if name == "pytest_ini" else f"{name}.py"
        (folder / target).write_text(textwrap.dedent(text))
    return folder


def gone(pid: int, patience: float = PATIENCE) -> bool:
    """Wait until a process has ended (or is a zombie of somebody else); False when it is still there after that."""
    deadline = time.monotonic() + patience
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        if time.monotonic() >= deadline:
            return False
        pause()


def pause(interval: float = 0.01) -> None:
    """Yield the processor between two looks at a condition that has a deadline."""
    time.sleep(interval)
