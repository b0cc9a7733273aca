from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from crossfleet.client import Client, Endpoint
from tests.faults.gated import GatedSuite
from tests.faults.leftovers import kill_all, processes_of
from tests.integration.processes import Fleet
from tests.real import etcd
from tests.real.coordinators import Coordinators
from tests.real.postgres import PostgresServer, postgres_server

LEASE = ("--lease-seconds", "2")
lease_runs_out = pytest.mark.parametrize("fleet", [LEASE], indirect=True, ids=["short lease"])
"""For tests of a worker that is given up. All others have the usual lease: a busy machine starts no agent within two seconds."""
SMALL = "4m"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, since a socket's path has at most 107 bytes. What a failed test left is killed."""
    with tempfile.TemporaryDirectory(prefix="cf-faults-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        for log in sorted([*Path(name).glob("*.log"), *Path(name).glob("*/shim/shim.log")]):  # shown with a failure
            print(f"--- {log}\n{log.read_text(errors='replace')[-4000:]}")
        kill_all(processes_of(Path(name)))


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = folder / "small"
    place.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "tmpfs", str(place)],
            check=False,
            capture_output=True,
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here: run as root, with CAP_SYS_ADMIN")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def suite(folder: Path) -> GatedSuite:
    return GatedSuite(folder / "suite").write()


@pytest_asyncio.fixture
async def fleet(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    """A fleet with one worker, w1, of two slots; the coordinator has the flags of the test's parameter."""
    async with Fleet(folder, flags=getattr(request, "param", ())) as running:
        await running.start()
        yield running


@pytest_asyncio.fixture
async def client(fleet: Fleet) -> AsyncIterator[Client]:
    """As a user's program holds it: one that outlives the coordinator, since it has met it."""
    async with Client.open(Endpoint(f"unix:{fleet.folder}/c")) as opened:
        await opened.fleet.summary()
        yield opened


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def elector(folder: Path, request: pytest.FixtureRequest) -> Iterator[etcd.Cluster]:
    """An etcd of one member, or of as many as the test is parametrized with."""
    with etcd.running(folder / "e", nodes=getattr(request, "param", 1)) as cluster:
        yield cluster


@pytest_asyncio.fixture
async def three(folder: Path, elector: etcd.Cluster, postgres: PostgresServer) -> AsyncIterator[Coordinators]:
    """Three coordinators, their scheduler, and a worker of two slots that knows all of them."""
    database = postgres.create(folder.name)
    running = Coordinators(folder, elector.endpoints, database, flags=("--lease-seconds", "4"))
    try:
        await asyncio.gather(running.start_scheduler(), *(running.start(name) for name in ("a", "b", "c")))
        await running.start_worker()
        await running.settled(1)
        yield running
    finally:
        await running.stop()
