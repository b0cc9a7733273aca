"""Forms of addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.foundation.errors import AddressInvalid, SocketPathTooLong
from crossfleet.foundation.serve.addresses import TcpAddress, UnixAddress, parse


@given(st.ip_addresses(), st.integers(0, 65535))
def test_what_is_written_down_is_read_back(host: object, port: int) -> None:
    address = TcpAddress(str(host), port)
    assert parse(str(address)) == address


@given(st.text())
def test_any_text_is_an_address_or_a_clear_refusal(text: str) -> None:
    try:
        address: object = parse(text)
    except (AddressInvalid, SocketPathTooLong):
        address = None
    assert address is None or isinstance(address, (TcpAddress, UnixAddress))


def test_a_url_is_told_apart_from_an_ipv6_address() -> None:
    with pytest.raises(AddressInvalid, match="is a URL: write HOST:PORT"):
        parse("http://fleet.example:7400")


def test_only_loopback_is_loopback() -> None:
    hosts = ["127.0.0.1", "::1", "127.8.8.8", "localhost", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org"]
    assert [host for host in hosts if TcpAddress(host, 1).is_loopback] == hosts[:4]
