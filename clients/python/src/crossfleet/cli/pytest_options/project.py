"""The options that a project itself gives to pytest: `addopts` of its settings, PYTEST_ADDOPTS."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import Any

from crossfleet.cli.pytest_options.table import Said, read

_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_OWN_FILES = frozenset(_FILES[:4])
_SECTIONS = {"setup.cfg": "tool:pytest"}


def project_words(words: Sequence[str], folder: Path, variable: str = "") -> list[str]:
    """What stands before `words`: addopts of the settings that pytest would find from `folder`, then `variable`.

    `variable` is the text of PYTEST_ADDOPTS. Settings that cannot be read give nothing: pytest itself will say why.
    """
    inherited = _split(variable)
    said = list(read([*inherited, *words]))
    overridden = [one.value.partition("=")[2] for one in said if _is(one, "-o") and one.value.startswith("addopts=")]
    addopts = overridden[-1] if overridden else _settings(said, folder).get("addopts", "")
    if isinstance(addopts, str):
        return [*_split(addopts), *inherited]
    return [*map(str, addopts if isinstance(addopts, list) else ()), *inherited]


def _is(said: Said, name: str) -> bool:
    return said.option is not None and name in said.option.names


def _settings(said: Sequence[Said], folder: Path) -> Mapping[str, Any]:
    named = [one.value for one in said if _is(one, "-c")]
    if named:
        return _of_file(folder / named[-1]) or {}
    paths = _paths(said, folder)
    found = _above(_ancestor(paths, folder))
    if found is None:
        found = next((settings for path in paths if (settings := _above(path)) is not None), None)
    return found or {}


def _paths(said: Sequence[Said], folder: Path) -> list[Path]:
    """The files and folders that are named, as far as they exist."""
    words = [word for one in said if one.option is None for word in one.words if not word.startswith("-")]
    paths = [Path(os.path.abspath(folder / word.partition("::")[0])) for word in words]
    return [path for path in paths if path.exists()]


def _ancestor(paths: Sequence[Path], folder: Path) -> Path:
    if not paths:
        return folder
    common = Path(os.path.commonpath(paths))
    return common.parent if common.is_file() else common


def _above(place: Path) -> Mapping[str, Any] | None:
    """The settings of the nearest file that has some, from a folder upwards."""
    for folder in (place, *place.parents):
        for name in _FILES:
            if (folder / name).is_file() and (settings := _of_file(folder / name)) is not None:
                return settings
    return None


def _of_file(path: Path) -> Mapping[str, Any] | None:
    """Pytest's settings in a file; None where it has none."""
    try:
        if path.suffix == ".toml":
            return _of_toml(path)
        parser = ConfigParser(interpolation=None, strict=False, allow_no_value=True)
        parser.read(path, encoding="utf-8")
    except (OSError, ValueError, IniError):
        return {}
    section = _SECTIONS.get(path.name, "pytest")
    for name in (section, "tool:pytest") if path.suffix == ".cfg" else (section,):
        if parser.has_section(name):
            return {key: value or "" for key, value in parser.items(name)}
    return {} if path.name in _OWN_FILES else None


def _of_toml(path: Path) -> Mapping[str, Any] | None:
    import tomllib

    content = tomllib.loads(path.read_text(encoding="utf-8"))
    if path.name in _OWN_FILES:
        return dict(content.get("pytest", {}))
    own = content.get("tool", {}).get("pytest", {})
    if "ini_options" in own:
        return dict(own["ini_options"])
    return dict(own) or None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def inherited_variable(assignments: Sequence[str], *, whole_environment: bool) -> str:
    """The PYTEST_ADDOPTS that the suite will see: of `--env` words, else this process's own where all of it is sent."""
    given = dict(map(_assignment, assignments))
    own = os.environ.get("PYTEST_ADDOPTS", "")
    return given.get("PYTEST_ADDOPTS", own if whole_environment else "")


def _assignment(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return name, value if equals else os.environ.get(name, "")
