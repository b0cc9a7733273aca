"""Where a server listens: forms of addresses, and what is refused before binding."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from crossfleet.foundation.errors.access import FilePermissionsUnsafe
from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.installation import AddressInvalid, PortInUse, SocketPathTooLong

LONGEST_SOCKET_PATH = 107
"""Bytes: sockaddr_un holds 108 with the closing zero."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket by its path."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host (name or number, IPv6 without brackets) and a port; 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. A name counts only if it is localhost: others may resolve anywhere."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


Address = UnixAddress | TcpAddress


def parse(text: str) -> Address:
    """Reads `unix:/path` or `HOST:PORT`. Raises AddressInvalid, SocketPathTooLong."""
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:").removeprefix("//"))
        if not path.is_absolute() or "\0" in text:
            raise AddressInvalid(f"{text!r}: the path of a Unix socket must be absolute, without NUL", address=text)
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            raise SocketPathTooLong(
                f"the socket path {path} has more than {LONGEST_SOCKET_PATH} bytes: give a shorter folder (--data, --state, or XDG_RUNTIME_DIR)",
                path=path,
                limit_bytes=LONGEST_SOCKET_PATH,
            )
        return UnixAddress(path)
    return _tcp(text, "is neither unix:/PATH nor HOST:PORT")


def parse_tcp(text: str, option: str) -> TcpAddress:
    """Reads `HOST:PORT`, given by `option`, which the error names. Raises AddressInvalid."""
    try:
        return _tcp(text, "is not HOST:PORT")
    except AddressInvalid as error:
        raise AddressInvalid(f"{option}: {error}", field=option.lstrip("-"), address=text) from None


def parse_list(text: str) -> tuple[Address, ...]:
    """Reads one address or several with commas between them, each once. Raises AddressInvalid, SocketPathTooLong."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise AddressInvalid(f"{text!r}: an address is missing; write A or A,B,C", address=text)
    return tuple(dict.fromkeys(map(parse, words)))


def prepare_socket(path: Path) -> None:
    """Makes room for a Unix socket: its folder (0700 when created), and a stale socket away.

    gRPC itself removes whatever is there, also a living server's socket. Raises PortInUse when somebody listens,
    AddressInvalid when something else lies there, FilePermissionsUnsafe when others may write to the folder.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = path.parent.stat()
    except OSError as error:
        raise AddressInvalid(f"cannot make the folder of {path}: {error.strerror}", address=f"unix:{path}") from error
    if folder.st_mode & 0o022:
        raise FilePermissionsUnsafe(
            f"others may write to {path.parent}: put the socket into a folder of mode 0700",
            path=path.parent,
            mode=oct(folder.st_mode & 0o7777),
        )
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise AddressInvalid(f"{path} exists and is not a socket", address=f"unix:{path}")
    if _somebody_listens(path):
        raise PortInUse(f"another process listens on {path}", address=f"unix:{path}")
    path.unlink(missing_ok=True)


def why_not_bound(address: TcpAddress) -> CrossfleetError:
    """The reason why gRPC could not bind, found by trying it again: gRPC tells none."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
    except socket.gaierror as error:
        return AddressInvalid(f"{address.host} does not resolve: {error.strerror}", address=address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return PortInUse(f"another process listens on {address}: choose another port, or stop it", address=address)
        return AddressInvalid(f"cannot listen on {address}: {error.strerror}", address=address)
    return PortInUse(f"{address} was taken for a moment: try again", address=address)


def _tcp(text: str, otherwise: str) -> TcpAddress:
    """Reads `HOST:PORT`; raises AddressInvalid, which says `otherwise` of what is no such thing at all."""
    if "://" in text:
        raise AddressInvalid(f"{text!r} is a URL: write HOST:PORT", address=text)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressInvalid(f"{text!r}: write an IPv6 address in brackets, [::1]:PORT", address=text)
    if (
        not colon
        or not host
        or any(letter.isspace() for letter in host)
        or not (port.isascii() and port.isdigit())
        or int(port) > 65535
    ):
        raise AddressInvalid(f"{text!r} {otherwise} (port 0 to 65535)", address=text)
    return TcpAddress(host, int(port))


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # full backlog, no permission: somebody may well be there
            return True
        return True
