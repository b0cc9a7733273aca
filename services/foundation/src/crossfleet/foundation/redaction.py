"""Keeps secrets out of what is written down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECRET_WORDS = ("token", "password", "passphrase", "secret", "authorization", "credential", "api_key", "cookie")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[^\s'\",]+")
_PASSWORD_IN_URL = re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@")
_HIDDEN = "[hidden]"
_DEEPEST = 6


def without_secrets(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which the values of keys that name a secret, bearer tokens and passwords in URLs are replaced."""
    return {key: _HIDDEN if _names_a_secret(key, value) else _inside(value, 0) for key, value in event.items()}


def _names_a_secret(key: object, value: object) -> bool:
    # A path to a secret is none, and helps whoever reads the log; so does a count of tokens.
    name = str(key).lower().replace("-", "_")
    if value is None or isinstance(value, (bool, int, float)) or name.endswith(("_file", "_path")):
        return False
    return any(word in name for word in _SECRET_WORDS) or name in ("key", "private_key", "tls_key")


def _inside(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _PASSWORD_IN_URL.sub(rf"\1{_HIDDEN}@", _BEARER.sub(rf"\1 {_HIDDEN}", value))
    if depth > _DEEPEST:
        return str(type(value))
    if isinstance(value, Mapping):
        return {k: _HIDDEN if _names_a_secret(k, v) else _inside(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inside(item, depth + 1) for item in value]
    return value
