"""TLS credentials from files."""

from __future__ import annotations

from pathlib import Path

import grpc

from crossfleet.foundation.errors.access import CertificateInvalid


def server_credentials(certificate: str, key: str, client_authority: str = "") -> grpc.ServerCredentials:
    """Credentials of a server; with `client_authority` (PEM) clients must show a certificate that it signed.

    Raises CertificateInvalid when a file cannot be read or is not PEM, or when the key is not the certificate's.
    """
    if not key:
        raise CertificateInvalid(f"the certificate {certificate} needs its key: set --tls-key", path=certificate)
    _check_pair(certificate, key)
    authority = _read(client_authority) if client_authority else None
    pairs = [(_read(key), _read(certificate))]
    return grpc.ssl_server_credentials(pairs, authority, require_client_auth=authority is not None)


def client_credentials(authority: str = "", certificate: str = "", key: str = "") -> grpc.ChannelCredentials:
    """Credentials of a client: trusts `authority` (PEM; else the system's), shows its own certificate when it has one.

    Raises CertificateInvalid.
    """
    if bool(certificate) != bool(key):
        raise CertificateInvalid(
            "a client certificate needs its key, and a key its certificate", path=certificate or key
        )
    if certificate:
        _check_pair(certificate, key)
    return grpc.ssl_channel_credentials(
        _read(authority) if authority else None,
        _read(key) if key else None,
        _read(certificate) if certificate else None,
    )


def _read(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CertificateInvalid(f"cannot read {path}: {error.strerror}", path=path) from error
    if b"-----BEGIN " not in content:
        raise CertificateInvalid(f"{path} is not PEM", path=path)
    return content


def _check_pair(certificate: str, key: str) -> None:
    """gRPC reports a wrong pair only as a failed handshake later; the standard library says it now."""
    import ssl  # 15 ms, and most servers listen on Unix sockets

    _read(certificate), _read(key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        raise CertificateInvalid(f"{certificate} and {key} do not make a pair: {error}", path=certificate) from error
