"""Which interpreter would run this command's pytest here."""

from __future__ import annotations

import os
import re

from crossfleet.cli.exits import UsageError

_PYTHON = re.compile(r"(python|pypy)(\d+(\.\d+)*)?t?(\.exe)?")
_TRAMPOLINE = re.compile(r"""exec'?\s+["']?(?P<path>/[^"'\n]+?)["']?\s+["']\$0""")
_SHIM_SECONDS = 10
_DEPTH = 5


def which(word: str, path: str | None = None) -> str:
    """The executable file that a shell would start for `word`; empty where there is none."""
    if os.sep in word:
        return os.path.abspath(word) if os.access(word, os.X_OK) and os.path.isfile(word) else ""
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        candidate = os.path.join(folder or ".", word)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)
    return ""


def is_python(word: str) -> bool:
    """Whether a command's first word names a Python interpreter."""
    return _PYTHON.fullmatch(os.path.basename(word)) is not None


def python_of(word: str) -> str:
    """The path of the interpreter that `word` (python, python3.12, a path) names. Raises UsageError."""
    found = which(word)
    if not found:
        raise UsageError(f"there is no {word} here: name an interpreter with --python PATH")
    text = _script_head(found)
    return _behind_shim(found, os.path.basename(word)) if text and "pyenv" in text else found


def python_of_script(word: str, depth: int = 0) -> str:
    """The interpreter that the script `word` (pytest, py.test) is started with.

    Reads its first lines: `#!/path/python`, `#!/usr/bin/env python3`, the `#!/bin/sh` trampoline that pip and uv write
    for long paths; a shim of pyenv is asked what it stands for. Raises UsageError where none of that fits.
    """
    found = which(word)
    if not found:
        raise UsageError(
            f"there is no {word} here: activate the environment of the suite, or name its interpreter with --python "
            "PATH, or give --requirements FILE"
        )
    text = _script_head(found) or ""
    first = text.partition("\n")[0]
    if "pyenv" in text and depth < _DEPTH:
        return python_of_script(_behind_shim(found, os.path.basename(word)), depth + 1)
    trampoline = _TRAMPOLINE.search(text) if first.startswith("#!/bin/sh") else None
    if trampoline:
        return trampoline["path"]
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        named = [each for each in words[1:] if not each.startswith("-") and "=" not in each]
        return python_of(named[0]) if named else _unclear(found)
    return words[0] if words and is_python(words[0]) else _unclear(found)


def check_has_pytest(python: str) -> None:
    """Raises UsageError where the interpreter cannot be started or has no pytest."""
    if not which(python):
        raise UsageError(
            f"there is no interpreter at {python}: name another one (--python, --target-python, or `python` in the matrix file)"
        )
    prefix = os.path.dirname(os.path.dirname(python))
    for library in ("lib", "lib64"):
        folder = os.path.join(prefix, library)
        for version in os.listdir(folder) if os.path.isdir(folder) else ():
            if os.path.exists(os.path.join(folder, version, "site-packages", "pytest", "__init__.py")):
                return
    import subprocess

    try:
        done = subprocess.run(
            [python, "-c", "import pytest"], capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{python} cannot be started: {error}") from None
    if done.returncode:
        raise UsageError(
            f"{python} has no pytest: `{python} -m pip install pytest`, or name another with --python PATH, "
            "or give --requirements FILE"
        )


def _script_head(path: str) -> str | None:
    with open(path, "rb") as file:
        head = file.read(4096)
    return head.decode("utf-8", "replace") if head.startswith(b"#!") else None


def _behind_shim(shim: str, name: str) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["pyenv", "which", name], capture_output=True, timeout=_SHIM_SECONDS, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{shim} is a shim of pyenv, which does not answer ({error}): use --python PATH") from None
    answer = done.stdout.strip()
    if done.returncode or not os.path.isabs(answer):
        raise UsageError(f"pyenv knows no {name} here: {done.stderr.strip()}. Use --python PATH")
    return answer


def _unclear(path: str) -> str:
    raise UsageError(f"{path} does not say which interpreter it uses: name it with --python PATH")
