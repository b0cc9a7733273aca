"""Standard output and error where nobody reads them, as after `crossfleet ... | head`: what is written then goes nowhere."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def open_missing() -> None:
    """Opens what the caller has closed of standard input, output and error: another file would get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def write_line(text: str, stream: TextIO) -> None:
    """Prints a line at once. Raises OSError where it is for standard output, and cannot be written though somebody reads it."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        _silence(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise


def flush_all() -> bool:
    """Writes what both hold back, of which the interpreter would complain at its end. Whether it could be written."""
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _silence(stream)
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                written = False
                write_line(f"crossfleet: not all could be written: {error.strerror}", sys.stderr)
    return written


def _silence(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
