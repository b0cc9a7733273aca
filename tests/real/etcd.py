"""A real etcd: one node or three, which can be killed, frozen and restarted. `tools/install_etcd` brings the program."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real.certificates import Pair

HEARTBEAT_MS = 20
"""Short, so that a new leader of the cluster is found, and a lease of one second granted, in the time of a test."""


@dataclass
class Node:
    """One member. `port` is where clients reach it, `peer_port` where the others do, `health_port` is for tests."""

    name: str
    folder: Path
    port: int
    peer_port: int
    health_port: int
    arguments: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin; `wait_ready` waits until it answers."""
        log = (self.folder / f"{self.name}.log").open("ab")
        with log:
            # Where there is setpriv, it dies with the tests, also when these are killed.
            with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
            self.process = subprocess.Popen(
                [*with_us, "etcd", *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def wait_ready(self, limit: float = 20.0) -> None:
        """Wait until it answers what only a cluster with a quorum can answer."""
        end = time.monotonic() + limit
        while not self.is_healthy():
            if not self.is_alive or time.monotonic() > end:
                raise EtcdDidNotStart((self.folder / f"{self.name}.log").read_text(errors="replace")[-3000:])
            time.sleep(_LOOK_SECONDS)

    @property
    def is_alive(self) -> bool:
        """Whether its process is there, frozen or not."""
        return self.process is not None and self.process.poll() is None

    def is_healthy(self) -> bool:
        """Whether it answers, and knows a quorum."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/health", timeout=1) as answer:
                return b"true" in answer.read()
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """Kill it, if it lives, and begin again on its data."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """Call etcd's own JSON gateway, without TLS: `post("/v3/kv/compaction", revision=7)`. Bytes are base64."""
        token = body.pop("token", "")
        request = urllib.request.Request(
            f"http://{self.address}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": str(token)} if token else {},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


_LOOK_SECONDS = 0.02


class EtcdDidNotStart(Exception):
    """It ended, or never answered; the text is its log."""


@dataclass
class Cluster:
    """Members of one cluster."""

    nodes: list[Node]

    @property
    def endpoints(self) -> str:
        """As the setting `etcd.endpoints` has it."""
        return ",".join(node.address for node in self.nodes)

    def wait_ready(self, nodes: Sequence[Node] = ()) -> None:
        """Wait until these, or all, are healthy."""
        for node in nodes or self.nodes:
            node.wait_ready()

    def mend(self) -> None:
        """Thaw and restart whatever is frozen or dead."""
        for node in self.nodes:
            node.thaw()
            if not node.is_alive:
                node.start()
        self.wait_ready()

    def require_users(self, name: str, password: str, prefix: str) -> None:
        """Switch users on: `name` may read and write below `prefix`, root (password `root`) everything."""
        post, start = self.nodes[0].post, prefix.encode()
        post("/v3/auth/role/add", name="own")
        permission = {"permType": "READWRITE", "key": _text(start), "range_end": _text(start[:-1] + b"0")}
        post("/v3/auth/role/grant", name="own", perm=permission)
        for user, secret, role in (("root", "root", "root"), (name, password, "own")):
            post("/v3/auth/user/add", name=user, password=secret)
            post("/v3/auth/user/grant", user=user, role=role)
        post("/v3/auth/enable")

    def metric(self, name: str) -> float:
        """A number that the first node keeps of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.nodes[0].health_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))

    def stop(self) -> None:
        """Kill all."""
        for node in self.nodes:
            node.kill()


@contextmanager
def running(folder: Path, *, nodes: int = 1, tls: Pair | None = None, client_authority: str = "") -> Iterator[Cluster]:
    """A cluster of 1 or 3 nodes below `folder`, ready when the block begins, killed when it ends.

    With `tls` clients are served by that certificate, with `client_authority` they must show one that it signed.
    """
    cluster = _started(folder, nodes, tls, client_authority)
    try:
        yield cluster
    finally:
        cluster.stop()


def _started(folder: Path, nodes: int, tls: Pair | None, client_authority: str) -> Cluster:
    assert shutil.which("etcd"), "mark the test with needs_etcd"
    for attempt in itertools.count(1):  # somebody else may take a port between its choice and its use
        place = folder / f"etcd-{attempt}"
        place.mkdir(parents=True)
        cluster = _made(place, nodes, tls, client_authority)
        try:
            for node in cluster.nodes:
                node.start()
            cluster.wait_ready()
            return cluster
        except EtcdDidNotStart:
            cluster.stop()
            if attempt == 3:
                raise
    raise AssertionError


def _made(folder: Path, count: int, tls: Pair | None, client_authority: str) -> Cluster:
    ports = _free_ports(3 * count)
    nodes = [Node(f"n{i}", folder, ports[3 * i], ports[3 * i + 1], ports[3 * i + 2]) for i in range(count)]
    members = ",".join(f"{node.name}=http://127.0.0.1:{node.peer_port}" for node in nodes)
    for node in nodes:
        client = f"{'https' if tls else 'http'}://127.0.0.1:{node.port}"
        peer = f"http://127.0.0.1:{node.peer_port}"
        given = {
            "name": node.name,
            "data-dir": folder / node.name,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": members,
            "initial-cluster-token": folder,
            "listen-metrics-urls": f"http://127.0.0.1:{node.health_port}",
            "heartbeat-interval": HEARTBEAT_MS,
            "election-timeout": 10 * HEARTBEAT_MS,
            "logger": "zap",
            "log-level": "warn",
        }
        if tls is not None:
            given |= {"cert-file": tls.certificate, "key-file": tls.key}
        if client_authority:
            given |= {"trusted-ca-file": client_authority, "client-cert-auth": "true"}
        node.arguments = [f"--{name}={value}" for name, value in given.items()]
    return Cluster(nodes)


def _free_ports(count: int) -> list[int]:
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [int(holder.getsockname()[1]) for holder in holders]
    finally:
        for holder in holders:
            holder.close()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
