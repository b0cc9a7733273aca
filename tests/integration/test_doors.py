from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1.admin_service_pb2_grpc import AdminServiceStub
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.errors.status import error_from_rpc
from tests.integration.processes import Service, start_service
from tests.real.certificates import Authority


@pytest_asyncio.fixture
async def folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cf-") as name:
        yield Path(name)


@pytest_asyncio.fixture
async def on_tcp(folder: Path) -> AsyncIterator[Service]:
    service = await start_service(
        "coordinator",
        *("--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--token-file", str(folder / "token")),
        log=folder / "log",
    )
    yield service
    await service.end()


async def test_tcp_needs_the_token_of_the_fleet(on_tcp: Service, folder: Path) -> None:
    async with open_channel(on_tcp.address, token_file=str(folder / "token")) as channel:
        answer = await FleetServiceStub(channel).GetFleet(fleet_pb2.GetFleetRequest())
    assert answer.leader_address == on_tcp.address
    assert not answer.accepts_local_paths
    for wrong in ("", "guessed"):
        async with open_channel(on_tcp.address, token=wrong) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await FleetServiceStub(channel).GetFleet(fleet_pb2.GetFleetRequest())
        assert error_from_rpc(caught.value).reason == "UNAUTHENTICATED"


async def test_a_worker_whose_token_file_is_wrong_at_its_start_ends_and_says_how_to_mend_it(
    on_tcp: Service, folder: Path
) -> None:
    loose = folder / "loose"
    loose.write_text((folder / "token").read_text())
    loose.chmod(0o644)
    for file, said in ((folder / "missing", "cannot be read"), (loose, "run chmod 600 on it")):
        worker = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                "crossfleet.worker",
                "--coordinator",
                on_tcp.address,
                "--token-file",
                str(file),
            ),
            *("--state", str(folder / "state"), "--cache", str(folder / "cache")),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(worker.communicate(), 30)
        assert (worker.returncode, said in out.decode()) == (2, True), out


async def test_a_setting_says_where_it_comes_from(on_tcp: Service, folder: Path) -> None:
    async with open_channel(on_tcp.address, token_file=str(folder / "token")) as channel:
        listed = await AdminServiceStub(channel).ListSettings(admin_pb2.ListSettingsRequest())

    sources = {one.name: one.source for one in listed.settings}
    assert (sources["data"], sources["lease_seconds"]) == ("flag", "default")


async def test_prometheus_is_told_of_commits_and_sessions(folder: Path) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = await start_service(
        "coordinator",
        *("--data", str(folder / "data"), "--listen", f"unix:{folder}/c", "--metrics", f"127.0.0.1:{port}"),
        log=folder / "log",
    )
    try:
        text = await asyncio.to_thread(
            lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        )
    finally:
        await service.end()

    for name in (
        "crossfleet_ledger_batches_total",
        "crossfleet_ledger_commit_seconds_count",
        "crossfleet_ledger_queue",
        "crossfleet_worker_sessions",
        "crossfleet_open_runs",
    ):
        assert f"\n{name} 0.0" in text


async def test_a_stranger_who_knocks_at_a_tls_port_leaves_no_line_of_another_form_in_the_log(folder: Path) -> None:
    pair = Authority(folder).issue("server")
    service = await start_service(
        "scheduler",
        *("--listen", "localhost:0", "--token-file", str(folder / "token")),
        *("--tls-certificate", pair.certificate, "--tls-key", pair.key),
        log=folder / "log",
    )
    host, _, port = service.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.read()
    writer.close()

    assert await service.end() == 0
    assert [json.loads(line)["event"] for line in (folder / "log").read_text().splitlines()][-1] == "stopped"
