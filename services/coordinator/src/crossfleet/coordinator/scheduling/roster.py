"""The schedulers beside the fallback, as an operator names them: `NAME=ADDRESS` and options, one text each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from crossfleet.coordinator.core.deciders import Decider
from crossfleet.foundation.errors import ConfigurationInvalid, CrossfleetError, FieldViolation
from crossfleet.foundation.serve.addresses import parse

DEFAULT = "default"
"""What the fallback is called."""
DEADLINE_SECONDS = 0.5
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_OPTIONS = ("pools", "canary", "deadline", "token-file", "authority")
_LEAST_DEADLINE, _LONGEST_DEADLINE = 0.05, 60.0
_MOST = 32


@dataclass(frozen=True, slots=True)
class External:
    """One scheduler beside the fallback: how it is reached, for what it decides, and in how many seconds it must answer."""

    decider: Decider
    address: str
    deadline: float = DEADLINE_SECONDS
    token_file: str = ""
    authority: str = ""

    @property
    def name(self) -> str:
        """Its name in this fleet."""
        return self.decider.name


def roster(texts: Sequence[str], fallback: str) -> tuple[External, ...]:
    """The schedulers of `NAME=ADDRESS [pools=A+B] [canary=PERCENT] [deadline=SECONDS] [token-file=FILE] [authority=FILE]`.

    `fallback` is the address of the one that stands in for them. Raises ConfigurationInvalid, which names what is wrong.
    """
    if len(texts) > _MOST:
        raise _wrong(f"{len(texts)} schedulers", f"at most {_MOST}")
    found = tuple(map(_external, texts))
    names = [one.name for one in found]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise _wrong(f"two schedulers are called {name!r}", "another name for one of them")
    if found and not fallback:
        raise _wrong("there is no scheduler to stand in for them", "name it too: --scheduler ADDRESS")
    return found


def _external(text: str) -> External:
    try:
        first, *rest = shlex.split(text)
    except ValueError as error:
        raise _wrong(repr(text), f"NAME=ADDRESS and options: {error}") from error
    name, _, address = first.partition("=")
    if not _NAME.fullmatch(name) or name == DEFAULT or not address:
        raise _wrong(
            repr(first), f"NAME=ADDRESS, with a name of letters, digits, '.', '_' and '-' other than {DEFAULT!r}"
        )
    try:
        parse(address)
    except CrossfleetError as error:
        raise _wrong(f"scheduler {name}", error.message) from error
    given = dict(_option(name, word) for word in rest)
    pools = frozenset(filter(None, given.get("pools", "").split("+")))
    canary = _number(name, "canary", given.get("canary", "100").removesuffix("%"), 0.0, 100.0, "percent")
    deadline = given.get("deadline", str(DEADLINE_SECONDS))
    seconds = _number(name, "deadline", deadline, _LEAST_DEADLINE, _LONGEST_DEADLINE, "seconds")
    decider = Decider(name, pools, canary)
    return External(decider, address, seconds, given.get("token-file", ""), given.get("authority", ""))


def _option(name: str, word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if key not in _OPTIONS or not equals or not value:
        near = get_close_matches(key, _OPTIONS, 1)
        raise _wrong(
            f"scheduler {name}: {word!r}",
            f"did you mean {near[0]}=VALUE?" if near else f"one of {', '.join(_OPTIONS)}, as KEY=VALUE",
        )
    return key, value


def _number(name: str, key: str, text: str, least: float, most: float, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise _wrong(f"scheduler {name}: {key}={text}", f"{least:g} to {most:g} {unit}")
    return value


def _wrong(what: str, allowed: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"schedulers: {what}", fields=[FieldViolation("schedulers", allowed)])
