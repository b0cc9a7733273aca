"""Users, TLS and wrong endpoints: whoever set something wrong is told what."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from crossfleet.foundation import errors
from crossfleet.foundation.etcd.settings import EtcdSettings, addresses
from services.foundation.tests.etcd.conftest import Opening
from tests.real import etcd
from tests.real.certificates import Authority

pytestmark = pytest.mark.needs_etcd


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o600)
    return str(file)


async def test_a_user_gets_in_by_its_password_and_no_further_than_its_rights(
    breakable: etcd.Cluster, opening: Opening, password: str, tmp_path: Path
) -> None:
    client = opening(breakable.endpoints, user="fleet", password_file=password)
    await client.put("/crossfleet/a", b"before etcd asks for users")
    breakable.require_users("fleet", "secret", "/crossfleet/")
    assert await client.get("/crossfleet/a") is not None
    assert (await client.probe("/crossfleet/")).members == 1
    with pytest.raises(errors.PermissionDenied, match="grant it"):
        await client.put("/elsewhere", b"")
    with pytest.raises(errors.PermissionDenied):
        await opening(breakable.endpoints, user="fleet", password_file=password).probe("/elsewhere")
    with pytest.raises(errors.Unauthenticated, match=r"set etcd\.user"):
        await opening(breakable.endpoints).probe("/crossfleet/")
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    wrong.chmod(0o600)
    with pytest.raises(errors.Unauthenticated, match=r"see etcd\.user and etcd\.password_file") as caught:
        await opening(breakable.endpoints, user="fleet", password_file=str(wrong)).probe("/crossfleet/")
    assert "guess" not in str(caught.value)


async def test_a_token_that_died_with_its_server_is_replaced(
    breakable: etcd.Cluster, opening: Opening, password: str
) -> None:
    breakable.require_users("fleet", "secret", "/crossfleet/")
    client = opening(breakable.endpoints, user="fleet", password_file=password)
    lease = await client.lease(60)
    await client.put("/crossfleet/a", b"1", lease.id)
    breakable.nodes[0].restart()
    breakable.wait_ready()
    await client.put("/crossfleet/a", b"2", lease.id)
    assert await client.refresh_lease(lease.id) == 60
    await client.revoke_lease(lease.id)
    assert await client.get("/crossfleet/a") is None


async def test_tls_works_with_the_right_authority_and_says_what_is_wrong(tmp_path: Path, opening: Opening) -> None:
    ours, others = Authority(tmp_path), Authority(tmp_path, "others")
    with etcd.running(tmp_path, tls=ours.issue("etcd")) as cluster:
        right = opening(cluster.endpoints, tls_authority=ours.certificate)
        await right.put("/a", b"1")
        assert (await right.probe("/a")).version.startswith("3.")
        with pytest.raises(errors.CertificateInvalid, match=r"not signed by the authority in etcd\.tls_authority"):
            await opening(cluster.endpoints, tls_authority=others.certificate).probe("/a")
        with pytest.raises(errors.CertificateInvalid, match=r"takes TLS only: set etcd\.tls_authority"):
            await opening(cluster.endpoints).probe("/a")
    with etcd.running(tmp_path / "elsewhere", tls=ours.issue("elsewhere", "DNS:elsewhere")) as cluster:
        with pytest.raises(errors.CertificateInvalid, match="not for this host"):
            await opening(cluster.endpoints, tls_authority=ours.certificate).probe("/a")


async def test_client_certificates_are_shown_and_a_missing_one_is_named(tmp_path: Path, opening: Opening) -> None:
    ours, others = Authority(tmp_path), Authority(tmp_path, "others")
    client, stranger = ours.issue("client"), others.issue("stranger")
    with etcd.running(tmp_path, tls=ours.issue("etcd"), client_authority=ours.certificate) as cluster:
        named = {"endpoints": cluster.endpoints, "tls_authority": ours.certificate}
        right = opening(**named, tls_certificate=client.certificate, tls_key=client.key)
        await right.put("/a", b"1")
        with pytest.raises(errors.CertificateInvalid, match=r"etcd\.tls_certificate"):
            await opening(**named).probe("/a")
        with pytest.raises(errors.CertificateInvalid, match=r"etcd\.tls_certificate"):
            await opening(**named, tls_certificate=stranger.certificate, tls_key=stranger.key).probe("/a")


async def test_an_authority_for_an_etcd_without_tls_is_named(
    breakable: etcd.Cluster, opening: Opening, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(errors.CertificateInvalid, match=r"answers without TLS: leave etcd\.tls_authority"):
        await opening(breakable.endpoints, tls_authority=authority.certificate).probe("/a")


async def test_an_endpoint_that_is_no_etcd_is_named(breakable: etcd.Cluster, opening: Opening) -> None:
    other = grpc.aio.server()
    port = other.add_insecure_port("127.0.0.1:0")
    await other.start()
    health = f"127.0.0.1:{breakable.nodes[0].health_port}"
    try:
        for address in (f"127.0.0.1:{port}", health):
            with pytest.raises(errors.ConfigurationInvalid, match="no etcd") as caught:
                await opening(address).probe("/a")
            assert caught.value.fields[0].path == "etcd.endpoints"
            assert address in str(caught.value)
        # One that is right is enough to begin with.
        assert (await opening(f"{health},{breakable.endpoints}").probe("/a")).members == 1
    finally:
        await other.stop(None)


async def test_nobody_there_is_said_with_the_address(opening: Opening) -> None:
    with pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:1 .*[Cc]onnection refused"):
        await opening("127.0.0.1:1").probe("/a")


async def test_endpoints_of_two_clusters_are_refused(
    one: etcd.Cluster, breakable: etcd.Cluster, opening: Opening
) -> None:
    with pytest.raises(errors.ConfigurationInvalid, match="belongs to cluster"):
        await opening(f"{one.endpoints},{breakable.endpoints}").probe("/a")
    late = opening(f"{breakable.endpoints},{one.endpoints}")
    await late.put("/a", b"1")
    breakable.nodes[0].kill()
    with pytest.raises(errors.ConfigurationInvalid, match="belongs to cluster"):
        await late.get("/a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EtcdSettings(), r"etcd\.endpoints: HOST:PORT of one member"),
        (EtcdSettings(endpoints="https://a:2379/"), "write a:2379 for https://a:2379/: TLS is used when"),
        (EtcdSettings(endpoints="a:2379 b:2379"), r"etcd\.endpoints: .* separated by commas"),
        (EtcdSettings(endpoints="a"), r"etcd\.endpoints: 'a' is neither"),
        (EtcdSettings(endpoints="a:0"), "port 0 cannot be called"),
        (EtcdSettings(endpoints="a:2379", user="fleet"), r"etcd\.password_file: is needed beside etcd\.user"),
        (EtcdSettings(endpoints="a:2379", password_file="/x"), r"etcd\.user: is needed beside"),
    ],
)
def test_a_wrong_setting_is_named_with_its_mend(settings: EtcdSettings, message: str) -> None:
    with pytest.raises(errors.ConfigurationInvalid, match=message):
        addresses(settings)


def test_endpoints_may_be_several_and_repeat() -> None:
    found = addresses(EtcdSettings(endpoints=" a:1, [::1]:2,a:1,unix:/run/etcd.sock ,"))
    assert [str(address) for address in found] == ["a:1", "[::1]:2", "unix:/run/etcd.sock"]


async def test_a_password_does_not_leave_the_machine_in_the_clear(opening: Opening, password: str) -> None:
    with pytest.raises(errors.InsecureTransport, match=r"set etcd\.tls_authority"):
        opening("10.0.0.1:2379", user="fleet", password_file=password)
