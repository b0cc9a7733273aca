"""Who calls: bearer tokens over TCP, file permissions on Unix sockets."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crossfleet.foundation.errors.access import FilePermissionsUnsafe, Unauthenticated
from crossfleet.foundation.errors.installation import ConfigurationInvalid

_TOKEN_BYTES = 32
_LONGEST_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a call acts for. `kind`: local (a Unix socket), token, anonymous (only with --insecure)."""

    name: str
    kind: str


_current: ContextVar[Principal | None] = ContextVar("crossfleet_principal", default=None)


def current_principal() -> Principal | None:
    """The caller of the call that is being served; None outside of calls and for health checks."""
    return _current.get()


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Makes `principal` the current one inside the block."""
    # Set, not reset by token: a streaming handler that is closed early leaves in another context than it entered.
    before = _current.get()
    _current.set(principal)
    try:
        yield
    finally:
        _current.set(before)


class Authenticator(Protocol):
    """Decides who a caller is."""

    def authenticate(self, peer: str, metadata: Mapping[str, str | bytes]) -> Principal:
        """The caller. Raises Unauthenticated."""
        ...


class LocalOnly:
    """Lets callers on Unix sockets in (who can open the socket may speak) and nobody else."""

    def authenticate(self, peer: str, metadata: Mapping[str, str | bytes]) -> Principal:
        """Raises Unauthenticated for every TCP peer."""
        if peer.startswith("unix:"):
            return Principal("local", "local")
        raise Unauthenticated(
            "this service has no token and takes calls over its Unix socket only: start it with --token-file",
            scheme="none",
        )


class TokenRequired:
    """Lets Unix sockets in, and TCP callers whose `authorization` is `Bearer <token>`."""

    def __init__(self, token: str, name: str = "token") -> None:
        self._token = token.encode()
        self._name = name

    def authenticate(self, peer: str, metadata: Mapping[str, str | bytes]) -> Principal:
        """Raises Unauthenticated when the header is missing, malformed or wrong (compared in constant time)."""
        if peer.startswith("unix:"):
            return Principal("local", "local")
        header = metadata.get("authorization", "")
        text = header if isinstance(header, str) else ""
        scheme, _, token = text.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("this call needs the header `authorization: Bearer <token>`", scheme="bearer")
        if not hmac.compare_digest(token.encode(), self._token):
            raise Unauthenticated("the token is not the one of this fleet", scheme="bearer")
        return Principal(self._name, "token")


class Anyone:
    """Lets everybody in: only for a server that was started with --insecure and without a token."""

    def authenticate(self, peer: str, metadata: Mapping[str, str | bytes]) -> Principal:
        """Never raises."""
        return Principal("local", "local") if peer.startswith("unix:") else Principal("anonymous", "anonymous")


def ensure_token_file(path: str | Path) -> str:
    """The token in `path`; a missing file is created with a new token, mode 0600. Raises like `read_token`."""
    file = Path(path)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_token(file)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
    return read_token(file)


def read_token(path: str | Path) -> str:
    """The token in `path`. Raises ConfigurationInvalid (missing, empty) and FilePermissionsUnsafe (readable by others)."""
    token = read_secret(path, "token")
    if not token.isascii() or any(character.isspace() for character in token):
        raise ConfigurationInvalid(
            f"the token file {path} must hold one line of ASCII without spaces", source=str(path)
        )
    return token


def read_secret(path: str | Path, what: str) -> str:
    """The text in `path`, without the white space round it; `what` it is goes into errors. Raises as `read_token`."""
    file = Path(path)
    try:
        with file.open() as opened:
            mode = os.fstat(opened.fileno()).st_mode & 0o777
            secret = opened.read(_LONGEST_TOKEN).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"the {what} file {file} cannot be read: {error}", source=str(file)) from error
    if mode & 0o077 and os.name == "posix":
        raise FilePermissionsUnsafe(
            f"others can read the {what} file {file}: run chmod 600 on it", path=file, mode=oct(mode)
        )
    if not secret:
        raise ConfigurationInvalid(f"the {what} file {file} must hold one line, and is empty", source=str(file))
    return secret
