"""A real S3 endpoint for tests: moto's server as a process of its own, started by `S3.start`. `tools/install_moto` brings it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

_LOOK_SECONDS = 0.05
_SERVER = Path(__file__).parents[2] / ".tools" / "moto" / "bin" / "moto_server"
_STARTS_WITHIN = 30.0
CREDENTIALS = "[default]\naws_access_key_id = reader\naws_secret_access_key = very-secret-value\nregion = us-east-1\n"


class S3:
    """Loses what it holds when it ends."""

    def __init__(self, log: Path) -> None:
        """Nothing runs yet; the server writes to `log`."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers, on the same port each time."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_SERVER, "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                self._ask("GET", "/moto-api/")
                return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise RuntimeError(self._log.read_text()) from None
                time.sleep(_LOOK_SECONDS)

    def make_bucket(self, name: str) -> None:
        """An empty bucket."""
        self._ask("PUT", f"/{name}")

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def credentials(self, folder: Path) -> str:
        """A file with the credentials and the endpoint."""
        file = folder / "s3-credentials"
        file.write_text(f"{CREDENTIALS}endpoint_url = {self.endpoint}\n")
        file.chmod(0o600)
        return str(file)

    def _ask(self, method: str, path: str) -> None:
        request = urllib.request.Request(self.endpoint + path, method=method, headers={"Authorization": "AWS x"})
        urllib.request.urlopen(request, timeout=5).close()


def need_s3() -> None:
    """Skips the test, or under CI fails it, where there is no server to start."""
    if not _SERVER.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("no moto: tools/install_moto")
        pytest.skip("needs moto: tools/install_moto")
