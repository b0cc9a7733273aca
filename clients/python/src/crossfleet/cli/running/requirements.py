"""Requirements files as text that any worker can use: what they include is put in, what names this machine is refused."""

from __future__ import annotations

import os
import re

from crossfleet.cli.exits import UsageError

LARGEST_BYTES = 1024 * 1024
_INCLUDE = re.compile(r"(?:-r\s*|--requirement(?:\s+|=))(?P<file>\S.*)")
_CONSTRAINT = re.compile(r"(?:-c\s*|--constraint(?:\s+|=))\S")
_EDITABLE = re.compile(r"(?:-e\s*|--editable(?:\s+|=))\S")
_LOCAL = re.compile(r"\.{0,2}/|file:|[^#;]*@\s*file:|\.{1,2}(?:\[|\s|$)")


def read_requirements(path: str) -> str:
    """The text of a requirements file with the files that it includes by `-r` in their places.

    Raises UsageError, naming file and line, for what a worker elsewhere could not follow: constraints, editable
    and local packages, an include that is not there or includes itself.
    """
    text = "\n".join(_lines(path, ())) + "\n"
    if len(text.encode()) > LARGEST_BYTES:
        raise UsageError(f"requirements {path}: longer than 1 MiB with what it includes")
    return text


def _lines(path: str, within: tuple[str, ...]) -> list[str]:
    real = os.path.realpath(path)
    if real in within:
        raise UsageError(f"requirements {path}: it includes itself")
    found: list[str] = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        words = re.sub(r"(?:^|\s)#.*", "", line).strip()
        where = f"requirements {path}: line {number}: {words}"
        if include := _INCLUDE.fullmatch(words):
            inner = os.path.join(os.path.dirname(path), include["file"].strip("\"'"))
            if not os.path.isfile(inner):
                raise UsageError(f"{where}: there is no such file")
            found += _lines(inner, (*within, real))
        elif _CONSTRAINT.match(words):
            raise UsageError(f"{where}: constraint files are not sent along; write the versions into the requirements")
        elif _EDITABLE.match(words) or _LOCAL.match(words):
            raise UsageError(
                f"{where}: a package from a folder of this machine cannot be installed on a worker; name a published "
                "version, or put its folder on the path with --env PYTHONPATH=..."
            )
        else:
            found.append(line)
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"requirements {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"requirements {path}: the file is not UTF-8") from None
    if len(text) > LARGEST_BYTES:
        raise UsageError(f"requirements {path}: longer than 1 MiB")
    return text
