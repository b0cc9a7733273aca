"""Where an etcd is, and how it is spoken to."""

from __future__ import annotations

from typing import Annotated

import msgspec

from crossfleet.foundation.config.model import setting
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import AddressInvalid, ConfigurationInvalid, SocketPathTooLong
from crossfleet.foundation.serve.addresses import Address, parse


class EtcdSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of a service that uses etcd; nested under `etcd`."""

    endpoints: Annotated[str, setting("Members of etcd: HOST:PORT, separated by commas. Empty: no etcd.")] = ""
    user: Annotated[str, setting("User of etcd, where it asks for one.")] = ""
    password_file: Annotated[str, setting("File with that user's password, mode 0600.")] = ""
    tls_authority: Annotated[
        str, setting("PEM file of the authority that signed etcd's certificates. TLS is then used.")
    ] = ""
    tls_certificate: Annotated[str, setting("PEM file of a client certificate, where etcd asks for one.")] = ""
    tls_key: Annotated[str, setting("PEM file of that certificate's private key.")] = ""

    @property
    def tls(self) -> bool:
        """Whether TLS is used."""
        return bool(self.tls_authority or self.tls_certificate or self.tls_key)


def addresses(settings: EtcdSettings) -> tuple[Address, ...]:
    """The members, each once. Raises ConfigurationInvalid, which names the setting and what is wrong in it."""
    texts = [part.strip() for part in settings.endpoints.split(",") if part.strip()]
    if not texts:
        raise _invalid("endpoints", "HOST:PORT of one member at least, for example 10.0.0.1:2379")
    if bool(settings.user) != bool(settings.password_file):
        missing, given = ("password_file", "user") if settings.user else ("user", "password_file")
        raise _invalid(missing, f"is needed beside etcd.{given}")
    return tuple(dict.fromkeys(_parsed(text) for text in texts))


def _parsed(text: str) -> Address:
    if "://" in text:
        rest = text.partition("://")[2].rstrip("/")
        raise _invalid("endpoints", f"write {rest} for {text}: TLS is used when etcd.tls_authority is set")
    try:
        found = parse(text)
    except (AddressInvalid, SocketPathTooLong) as error:
        raise _invalid("endpoints", f"{error.message}; several are separated by commas") from error
    if str(found).endswith(":0"):
        raise _invalid("endpoints", f"{text}: port 0 cannot be called")
    return found


def _invalid(name: str, description: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        "wrong setting of etcd", fields=[FieldViolation(f"etcd.{name}", description)], setting=f"etcd.{name}"
    )
