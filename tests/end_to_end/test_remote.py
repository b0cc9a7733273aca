from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.api.worker.v1.worker_service_pb2_grpc import WorkerServiceStub
from crossfleet.client import Client, Endpoint
from crossfleet.client.artifacts import Blob
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.errors import BlobsMissing, CrossfleetError, DigestMismatch, MessageTooLarge
from crossfleet.foundation.errors.status import error_from_rpc
from tests.end_to_end.standing import PYTEST, Standing, crossfleet, up

ABSENT = "0" * 64


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def remote(fleets_folder: Path, clean_environment: None) -> Iterator[Standing]:
    """A fleet on TCP, which may run on other machines: it takes packed workspaces only."""
    with up(fleets_folder / "remote", "--grpc", f"127.0.0.1:{free_port()}", "--slots", "2") as fleet:
        tcp = next(address for address in fleet.addresses() if not address.startswith("unix:"))
        fleet.env = {"CROSSFLEET_ADDRESS": tcp, "CROSSFLEET_TOKEN_FILE": str(fleet.data / "token")}
        yield fleet


@pytest.fixture
async def client(remote: Standing) -> AsyncIterator[Client]:
    endpoint = Endpoint(remote.env["CROSSFLEET_ADDRESS"], remote.env["CROSSFLEET_TOKEN_FILE"])
    async with Client.open(endpoint) as opened:
        yield opened


def test_the_token_is_its_owners_alone(remote: Standing) -> None:
    token = remote.data / "token"

    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert len(token.read_text().strip()) >= 32


def test_a_packed_workspace_keeps_bits_links_and_ignores(remote: Standing, project: Path) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / ".gitignore").write_text("ignored.txt\n")
    (project / "ignored.txt").write_text("")
    (project / "tool").write_text("#!/bin/sh\necho done\n")
    (project / "tool").chmod(0o755)
    (project / "sub").mkdir()
    (project / "sub" / "link").symlink_to("../tool")
    (project / "test_workspace.py").write_text(
        "import os, pathlib, subprocess\n"
        "HERE = pathlib.Path(__file__).parent\n"
        "def test_bits(): assert subprocess.check_output([str(HERE / 'sub' / 'link')]) == b'done\\n'\n"
        "def test_link(): assert os.readlink(HERE / 'sub' / 'link') == '../tool'\n"
        "def test_mode(): assert not os.access(HERE / 'test_workspace.py', os.X_OK)\n"
        "def test_ignored(): assert not (HERE / 'ignored.txt').exists()\n"
        f"def test_elsewhere(): assert HERE != pathlib.Path({str(project)!r})\n"
    )

    done, report = remote.report(*PYTEST, cwd=project)

    assert {case["outcome"] for case in report["cases"]} == {"passed"}, done.text
    assert (done.status, len(report["cases"])) == (0, 5), done.text


def test_artifacts_and_logs_come_back_over_tcp(remote: Standing, project: Path) -> None:
    (project / "test_it.py").write_text(
        "import os, pathlib\n"
        "def test_it(): pathlib.Path(os.environ['CROSSFLEET_ARTIFACTS'], 'a.txt').write_text('kept')\n"
    )
    _, report = remote.report(*PYTEST, cwd=project)
    run = report["run"]["run_id"]

    env = remote.env
    got = crossfleet("artifacts", "get", run, "--into", "got", cwd=project, env=env)
    logs = crossfleet("logs", run, cwd=project, env=env)

    assert [path.read_text() for path in (project / "got").rglob("a.txt")] == ["kept"], got.text
    assert "collected 1 item" in logs.out, logs.text


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_call_without_the_token_is_refused_and_says_what_to_do(
    remote: Standing, project: Path, tmp_path: Path, token: str
) -> None:
    env = {"CROSSFLEET_ADDRESS": remote.env["CROSSFLEET_ADDRESS"]}
    if token:
        (tmp_path / "token").write_text("not the right one at all, sadly")
        (tmp_path / "token").chmod(0o600)
        env["CROSSFLEET_TOKEN_FILE"] = str(tmp_path / "token")

    done = crossfleet("runs", cwd=project, env=env)

    assert done.status in (2, 3), done.text
    assert "token" in done.err.lower()
    assert "Traceback" not in done.err


async def test_bytes_that_are_not_their_digest_are_refused_and_not_kept(client: Client) -> None:
    digest = "1" * 64

    with pytest.raises(DigestMismatch):
        await client.artifacts.upload([Blob(digest, 5, None, b"hello")])

    assert await client.artifacts.missing([digest]) == [digest]


async def test_a_run_of_a_workspace_that_was_not_uploaded_is_refused(client: Client) -> None:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(manifest_digest=ABSENT))
    spec.suite.runner = "pytest"

    with pytest.raises(CrossfleetError) as refused:
        await client.runs.submit(spec)

    assert refused.value.reason in {BlobsMissing.reason, "WORKSPACE_NOT_FOUND"}
    assert ABSENT in str(refused.value) + str(refused.value.metadata)


async def test_a_local_path_is_refused_by_a_fleet_of_other_machines(client: Client, project: Path) -> None:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(project)))
    spec.suite.runner = "pytest"

    with pytest.raises(CrossfleetError) as refused:
        await client.runs.submit(spec)

    assert refused.value.reason == "LOCAL_PATH_REFUSED"


async def test_a_message_over_the_limit_is_refused_and_the_connection_goes_on(client: Client) -> None:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True))
    spec.suite.runner = "noop"
    spec.suite.cases.extend(["x" * 1000] * 100_000)

    with pytest.raises(CrossfleetError) as refused:
        await client.runs.submit(spec)

    assert refused.value.reason == MessageTooLarge.reason, refused.value
    assert (await client.fleet.summary()).workers_by_state


async def test_a_worker_of_an_unknown_protocol_is_told_which_are_known(remote: Standing) -> None:
    hello = worker_pb2.Hello(protocol_version=99)
    hello.worker.worker_id, hello.worker.incarnation, hello.worker.slots = "strange", "i", 1
    request = worker_pb2.ConnectRequest(messages=[worker_pb2.WorkerMessage(hello=hello)])
    address, token = remote.env["CROSSFLEET_ADDRESS"], remote.env["CROSSFLEET_TOKEN_FILE"]

    async with open_channel(address, token_file=token) as channel:
        call = WorkerServiceStub(channel).Connect(iter([request]))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in call:
                pass

    error = error_from_rpc(refused.value)
    assert error.reason == "PROTOCOL_VERSION_UNSUPPORTED"
    assert error.metadata["got"] == "99"
    assert error.metadata["highest"] == "1"


async def test_an_upload_that_goes_wrong_in_the_middle_is_taken_up_where_it_stopped(remote: Standing) -> None:
    content = os.urandom(300_000)
    blob = Blob.of_bytes(content)
    address, token = remote.env["CROSSFLEET_ADDRESS"], remote.env["CROSSFLEET_TOKEN_FILE"]
    async with open_channel(address, token_file=token) as channel:
        stub = ArtifactServiceStub(channel)
        first = artifact_pb2.UploadBlobRequest(
            digest=blob.digest, size_bytes=blob.size_bytes, offset=0, content=content[:100_000]
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.UploadBlob(iter([first]))
    async with Client.open(Endpoint(address, token)) as client:
        await client.artifacts.upload([blob])
        got = b"".join([piece async for piece in client.artifacts.download(blob.digest)])

    assert got == content


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is not installed here")
    (folder / "key.pem").chmod(0o600)
    return folder / "cert.pem", folder / "key.pem"


def test_a_fleet_with_tls_serves_those_who_trust_it(
    folder: Path, project: Path, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    port = free_port()
    (project / "test_it.py").write_text("def test_it(): pass\n")
    flags = ("--grpc", f"0.0.0.0:{port}", "--tls-cert", str(cert), "--tls-key", str(key), "--slots", "1")
    with up(folder / "data", *flags) as fleet:
        env = {"CROSSFLEET_ADDRESS": f"localhost:{port}", "CROSSFLEET_TOKEN_FILE": str(fleet.data / "token")}
        trusting = crossfleet("run", "--", *PYTEST, cwd=project, env={**env, "CROSSFLEET_TLS_AUTHORITY": str(cert)})
        plain = crossfleet("runs", cwd=project, env={**env, "CROSSFLEET_INSECURE": "1"}, seconds=100)

    assert trusting.status == 0, trusting.text
    assert "1 passed" in trusting.out
    assert plain.status == 3, plain.text


@pytest.mark.parametrize("place", ["0.0.0.0", "::"])
def test_tcp_off_loopback_without_tls_is_refused(folder: Path, place: str) -> None:
    host = f"[{place}]" if ":" in place else place

    done = crossfleet("up", "--data", str(folder / "data"), "--grpc", f"{host}:{free_port()}", cwd=folder)

    assert done.status == 2, done.text
    assert "TLS" in done.err + done.out or "tls" in done.err + done.out
    assert "--insecure" in done.err + done.out


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = crossfleet("up", "--data", str(folder / "data"), "--grpc", f"127.0.0.1:{port}", cwd=folder)

    assert done.status == 2, done.text
    assert str(port) in done.err + done.out
    assert "Traceback" not in done.err
