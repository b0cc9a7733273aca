"""Where an artifact store lies: a folder of this machine or of a file server, or a bucket. What is stored has the same names in each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from crossfleet.foundation.errors import ConfigurationInvalid, FieldViolation, FilePermissionsUnsafe

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_FORM = "file:///FOLDER or s3://BUCKET/PREFIX; empty: the data folder"
# A request that fails is tried again within this; callers retry beyond it, and are told meanwhile.
_RETRY_SECONDS = 8.0
_CONNECT_SECONDS = 3.0
_REQUEST_SECONDS = 60.0
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "endpoint_url", "region")


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` is None for a bucket; `shared`: several coordinators may use it."""

    url: str
    folder: Path | None
    shared: bool
    credentials: dict[str, str] = field(default_factory=dict, repr=False)

    @staticmethod
    def local(folder: Path) -> Place:
        """A folder that one coordinator has for itself."""
        return Place(folder.as_uri() if folder.is_absolute() else str(folder), folder, shared=False)

    def open(self) -> ObjectStore:
        """The store. Raises ConfigurationInvalid."""
        from obstore.exceptions import BaseError
        from obstore.store import LocalStore, S3Store  # a quarter of a second: not for a fleet that needs no blob

        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            return LocalStore(self.folder)
        retries: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
        client: Any = {
            "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
            "timeout": timedelta(seconds=_REQUEST_SECONDS),
        }
        if _is_plain(self.credentials):
            client["allow_http"] = True
        config: Any = {name.removeprefix("aws_"): value for name, value in self.credentials.items()}
        if "endpoint_url" in config:
            config["endpoint"] = config.pop("endpoint_url")
        try:
            return S3Store.from_url(self.url, config=config, client_options=client, retry_config=retries)
        except (BaseError, ValueError) as error:
            raise _invalid("artifacts", f"{error}") from None


def place_of(url: str, data: Path, credentials_file: str = "") -> Place:
    """The place that the settings name. Raises ConfigurationInvalid, FilePermissionsUnsafe."""
    if not url:
        return Place.local(data)
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise _invalid("artifacts", "no credentials in the URL: give AWS_ variables or artifacts_credentials_file")
    if parts.query or parts.fragment:
        raise _invalid("artifacts", f"no query: {_FORM}")
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Place(url, Path(unquote(parts.path)), shared=True)
    if parts.scheme == "s3" and parts.netloc:
        credentials = _credentials(credentials_file)
        _is_plain(credentials)
        return Place(url.rstrip("/"), None, shared=True, credentials=credentials)
    raise _invalid("artifacts", _FORM)


def _credentials(file: str) -> dict[str, str]:
    """What a file in the form of AWS's shared credentials says in its section `default`; environment variables fill the rest."""
    if not file:
        return {}
    import configparser  # a cold start has no use for it

    parser = configparser.ConfigParser(interpolation=None)
    try:
        with Path(file).open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode & 0o777
            parser.read_file(opened)
        found = dict(parser["default"])
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid("artifacts_credentials_file", f"{file} cannot be read: {error}") from None
    except (configparser.Error, KeyError):
        # The parser's own message quotes lines, which hold secrets.
        raise _invalid(
            "artifacts_credentials_file", f"{file}: a section [default] with lines such as aws_access_key_id = ..."
        ) from None
    if mode & 0o077 and os.name == "posix":
        raise FilePermissionsUnsafe(f"others can read {file}: run chmod 600 on it", path=file, mode=oct(mode))
    unknown = [name for name in found if name not in _KEYS]
    if unknown:
        raise _invalid("artifacts_credentials_file", f"{file}: {unknown[0]} is none of {', '.join(_KEYS)}")
    return found


def _is_plain(credentials: Mapping[str, str]) -> bool:
    """Whether the endpoint is on plain HTTP, and may be. Raises ConfigurationInvalid where it may not."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    named = credentials.get("endpoint_url") or next((os.environ[name] for name in names if os.environ.get(name)), "")
    endpoint = urlsplit(named)
    if endpoint.scheme != "http":
        return False
    trusted = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes")
    if endpoint.hostname not in ("127.0.0.1", "::1", "localhost") and not trusted:
        raise _invalid(
            "artifacts", f"{named} is plain HTTP: https, or AWS_ALLOW_HTTP=true where the network is trusted"
        )
    return True


def _invalid(name: str, text: str) -> ConfigurationInvalid:
    return ConfigurationInvalid("the artifact store cannot be used", fields=[FieldViolation(name, text)])
