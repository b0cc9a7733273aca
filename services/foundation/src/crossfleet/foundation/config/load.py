"""Puts the settings of a service together from their sources."""

from __future__ import annotations

import argparse
import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from crossfleet.foundation.config.model import Setting, describe
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid

S = TypeVar("S", bound=msgspec.Struct)
_UNSET = object()


def variable_of(service: str) -> str:
    """The environment variable that names the settings file of a service."""
    return f"CROSSFLEET_{service.upper()}_CONFIG"


def load(
    settings: type[S],
    *,
    service: str,
    argv: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> S:
    """The settings of `service`: defaults < TOML (`--config FILE`) < environment < flags.

    Raises what `load_with_sources` raises.
    """
    return load_with_sources(settings, service=service, argv=argv, environment=environment)[0]


def load_with_sources(
    settings: type[S],
    *,
    service: str,
    argv: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[S, dict[str, str]]:
    """The settings, and by name where each comes from that is not a default: `file`, `environment` or `flag`.

    Raises ConfigurationInvalid, which names the setting, the source and what is allowed; wrong usage of flags and
    `--help` end in SystemExit, as argparse does it.
    """
    known = describe(settings)
    variables = os.environ if environment is None else environment
    made = parser(known, service)
    flags, rest = made.parse_known_args(argv)
    if rest:
        made.error(_unknown(rest[0], [item.flag for item in known]))
    values: dict[tuple[str, ...], Any] = {}
    sources: dict[str, str] = {}

    def take(found: Mapping[tuple[str, ...], Any], source: str) -> None:
        values.update(found)
        sources.update((".".join(path), source) for path in found)

    file = flags.config or variables.get(variable_of(service), "")
    if file:
        take(_from_file(known, Path(file)), "file")
    take(_from_environment(known, service, variables), "environment")
    for item in known:
        given = getattr(flags, item.name, _UNSET)
        if given is not _UNSET:
            take({item.path: _converted(item, given, f"flag {item.flag}")}, "flag")
    return _built(settings, values), sources


def parser(known: Sequence[Setting], service: str) -> argparse.ArgumentParser:
    """The command line of a service: one flag for each setting, and --config."""
    made = argparse.ArgumentParser(
        prog=f"crossfleet-{service}", usage="%(prog)s [FLAG VALUE ...], as --help lists them", allow_abbrev=False
    )
    made.add_argument(
        "--config", metavar="FILE", default="", help="settings as TOML; flags and environment win over it"
    )
    flags = [item.flag for item in known]
    if len(set(flags)) < len(flags):
        raise TypeError(f"two settings share the flag {next(flag for flag in flags if flags.count(flag) > 1)}")
    for item in known:
        text = f"{item.description} [{show_default(item.default)}]".replace("%", "%%")
        options: dict[str, Any] = {"dest": item.name, "default": argparse.SUPPRESS, "help": text}
        if item.plain_type is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif item.choices:
            options["choices"] = item.choices
        else:
            options["metavar"] = item.words[-1].rpartition("_")[2].upper()
            if item.is_list:
                options["action"] = "append"
        made.add_argument(item.flag, **options)
    return made


def _unknown(word: str, flags: Sequence[str]) -> str:
    if not word.startswith("-"):
        return f"{word}: nothing is expected there"
    flag = word.partition("=")[0]
    near = difflib.get_close_matches(flag, flags, n=1)
    return f"there is no flag {flag}" + (f". Did you mean {near[0]}?" if near else "")


def show_default(value: Any) -> str:
    """A default as it stands in help texts and pages."""
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_file(known: Sequence[Setting], file: Path) -> dict[tuple[str, ...], Any]:
    try:
        with file.open("rb") as opened:
            content = tomllib.load(opened)
    except OSError as error:
        raise ConfigurationInvalid(f"cannot read the settings file {file}: {error.strerror}", source=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"the settings file {file} is not TOML: {error}", source=file) from error
    by_path = {item.path: item for item in known}
    found: dict[tuple[str, ...], Any] = {}
    for path, value in _leaves(content, (), set(by_path)):
        item = by_path.get(path)
        if item is None:
            near = difflib.get_close_matches(".".join(path), [other.name for other in known], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise _invalid(".".join(path), f"no such setting{hint}", f"file {file}")
        found[path] = _converted(item, value, f"file {file}", strict=True)
    return found


def _leaves(
    table: Mapping[str, Any], prefix: tuple[str, ...], known: set[tuple[str, ...]]
) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in table.items():
        path = (*prefix, key)
        if isinstance(value, dict) and path not in known:
            found += _leaves(value, path, known)
        else:
            found.append((path, value))
    return found


def _from_environment(
    known: Sequence[Setting], service: str, variables: Mapping[str, str]
) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for item in known:
        name = item.variable(service)
        if name in variables:
            text: Any = variables[name]
            if item.is_list:
                text = [part.strip() for part in text.split(",") if part.strip()]
            found[item.path] = _converted(item, text, f"environment variable {name}")
    return found


def _converted(item: Setting, value: Any, source: str, *, strict: bool = False) -> Any:
    if item.plain_type is bool and isinstance(value, str):
        value = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower(), value)
    try:
        return msgspec.convert(value, item.type, strict=strict)
    except msgspec.ValidationError as error:
        raise _invalid(item.name, f"{error} (got {value!r})", source) from error


def _invalid(name: str, description: str, source: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"wrong setting in {source}", fields=[FieldViolation(name, description)], source=source, setting=name
    )


def _built(settings: type[S], values: Mapping[tuple[str, ...], Any]) -> S:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        table = tree
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
    # Each value was converted where its source was known; this only fills in the defaults.
    return msgspec.convert(tree, settings)
