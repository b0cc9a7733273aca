"""TLS, with certificates made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crossfleet.foundation import errors
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.serve import Server, ServerSettings
from services.foundation.tests.echo import EchoStub, Request, echo_definition

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


async def _echo(request: Any, context: Any) -> Any:
    return request


def _certificate(folder: Path, name: str) -> tuple[str, str]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return str(certificate), str(key)


async def test_tls_serves_whom_the_token_and_the_authority_let_in(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, "server")
    token = str(tmp_path / "token")
    settings = ServerSettings(
        listen=("localhost:0",), token_file=token, tls_certificate=certificate, tls_key=key, stop_seconds=0
    )
    server = Server(echo_definition(Unary=_echo), settings)
    (address,) = await server.start()
    try:
        async with open_channel(address, token_file=token, tls_authority=certificate) as channel:
            assert (await EchoStub(channel).unary(Request(service="hi"))).service == "hi"
        async with open_channel(address, token_file=token) as plain:
            with pytest.raises(errors.Unavailable), translated():
                await EchoStub(plain).unary(Request(), timeout=5)
        async with open_channel(address, tls_authority=certificate) as nobody:
            with pytest.raises(errors.Unauthenticated), translated():
                await EchoStub(nobody).unary(Request())
    finally:
        await server.stop()


async def test_clients_must_show_a_certificate_when_an_authority_is_set(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, "server")
    client, client_key = _certificate(tmp_path, "client")
    settings = ServerSettings(
        listen=("localhost:0",),
        token_file=str(tmp_path / "token"),
        tls_certificate=certificate,
        tls_key=key,
        tls_client_authority=client,
    )
    server = Server(echo_definition(Unary=_echo), settings)
    (address,) = await server.start()
    named = {"token_file": settings.token_file, "tls_authority": certificate}
    try:
        async with open_channel(address, **named, tls_certificate=client, tls_key=client_key) as channel:  # type: ignore[arg-type]
            assert (await EchoStub(channel).unary(Request(service="hi"))).service == "hi"
        async with open_channel(address, **named) as anonymous:  # type: ignore[arg-type]
            with pytest.raises(errors.Unavailable), translated():
                await EchoStub(anonymous).unary(Request(), timeout=5)
    finally:
        await server.stop()


async def test_a_key_of_another_certificate_is_refused_at_the_start(tmp_path: Path) -> None:
    certificate, _ = _certificate(tmp_path, "server")
    _, other_key = _certificate(tmp_path, "other")
    settings = ServerSettings(
        listen=("localhost:0",), token_file=str(tmp_path / "t"), tls_certificate=certificate, tls_key=other_key
    )
    with pytest.raises(errors.CertificateInvalid, match="do not make a pair"):
        await Server(echo_definition(), settings).start()


async def test_a_certificate_without_its_key_is_refused_at_the_start(tmp_path: Path) -> None:
    certificate, _ = _certificate(tmp_path, "server")
    settings = ServerSettings(listen=("localhost:0",), token_file=str(tmp_path / "t"), tls_certificate=certificate)
    with pytest.raises(errors.CertificateInvalid, match="--tls-key"):
        await Server(echo_definition(), settings).start()


async def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.CertificateInvalid, match=r"/no/such"):
        open_channel("localhost:1", tls_authority="/no/such.pem")
