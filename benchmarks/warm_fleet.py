"""A fleet that is kept up with `crossfleet up` while something is measured on it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.environments import environment
from benchmarks.processes import descendants

CROSSFLEET = str(Path(sys.executable).with_name("crossfleet"))
_START_SECONDS = 60.0
_POLL_SECONDS = 0.02


class WarmFleet:
    """One worker with `slots` slots on a data folder of its own, from entering the block to leaving it."""

    def __init__(
        self, slots: int, *, metrics: bool = False, database: str = "", etcd: str = "", scheduler: str = ""
    ) -> None:
        """`metrics`: the coordinator answers /metrics, for `counters`; counting costs it a few percent. `database`: its URL.

        `etcd`: endpoints, where it shares that database with others. `scheduler`: the address of one that is to decide.
        """
        self._slots = slots
        self._temporary = tempfile.TemporaryDirectory(prefix="cf-bench-")
        self.data = Path(self._temporary.name)
        self._metrics = f"127.0.0.1:{_free_port()}" if metrics else ""
        self._database = database
        self._etcd = etcd
        self._scheduler = ["--scheduler", scheduler] if scheduler else []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Started, and serving. Raises TimeoutError with what it said."""
        told = self.data / "told.txt"
        variables = environment() | {
            "CROSSFLEET_COORDINATOR_METRICS": self._metrics,
            "CROSSFLEET_COORDINATOR_DATABASE": self._database,
            "CROSSFLEET_COORDINATOR_ETCD_ENDPOINTS": self._etcd,
        }
        command = [CROSSFLEET, "up", "--data", str(self.data), "--workers", "1", "--slots", str(self._slots)]
        command += self._scheduler
        with told.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=variables)
        end = time.monotonic() + _START_SECONDS
        while b"fleet of" not in told.read_bytes():
            if self._process.poll() is not None or time.monotonic() > end:
                said = told.read_text()
                self.__exit__(None, None, None)
                raise TimeoutError(f"the fleet did not come up: {said.strip()}")
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it and removes its data."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._temporary.cleanup()

    @property
    def address(self) -> str:
        """Where its coordinator serves."""
        return str(json.loads((self.data / "fleet.json").read_text())["address"])

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds by process (coordinator, scheduler, agent, shim with all that it ran) since it was started."""
        assert self._process is not None
        found: dict[str, float] = {}
        for process in descendants(self._process.pid):
            name = next((w.removeprefix("crossfleet.") for w in process.words if w.startswith("crossfleet.")), "tests")
            name = {"worker": "agent", "worker.shim": "shim"}.get(name, name)
            found[name] = found.get(name, 0.0) + process.own
            ended = "tests" if name == "shim" else name
            found[ended] = found.get(ended, 0.0) + process.reaped
        return found

    def counters(self) -> dict[str, float]:
        """What the coordinator's /metrics counts, by name with labels."""
        with urllib.request.urlopen(f"http://{self._metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = {}
        for line in text.splitlines():
            match = re.fullmatch(r"(\w+(?:\{.*\})?) (\S+)", line)
            if match:
                found[match[1]] = float(match[2])
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
